"""The door: command line and nothing else."""


def main() -> None:
    """Entry point of the `mamlbound` command."""
