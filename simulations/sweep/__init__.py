"""Sweeps of claims and runs over the assumption constants, resumable and on any number of workers."""
