"""Benchmarks for `asv run`: sweeps, measured by gconvbench's engine."""
