"""The command line of mamlbound."""
