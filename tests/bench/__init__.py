"""Benchmarks: ratios measured in one run against the peers that are installed. Run with `python -m tests.bench`."""
