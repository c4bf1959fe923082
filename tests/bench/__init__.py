"""Benchmarks: `python -m tests.bench` (or `make bench`). They print figures and assert nothing about time."""
