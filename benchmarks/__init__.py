"""Timings of the engine against peers and against the machine's own floor, on the same work: `make bench`."""
