"""Our engine in asv's and pytest-benchmark's clothes."""
