"""Benchmarks: what users should see of speed and memory, each beside a peer or a limit."""
