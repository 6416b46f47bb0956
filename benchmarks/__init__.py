"""How fast upbit_stream is, beside a bare loop and beside others. ``python -m benchmarks``."""
