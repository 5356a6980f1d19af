"""`python -m pvtsearch`."""

from pvtsearch.cli import main

main()
