"""`python -m checkout` is the `checkout` command."""

from checkout.cli import main

main()
