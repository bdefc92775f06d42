"""The first file of the frozen program."""

from checkout.__main__ import main

main()
