"""The first file of the frozen program."""

from checkout.cli import main

main()
