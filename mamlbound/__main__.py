"""`python -m mamlbound` is `mamlbound`."""

from mamlbound.cli import main

main()
