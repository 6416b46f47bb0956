"""How fast it is, as ratios: ``python -m benchmarks``.

A server process on one core sends frames that were encoded before; the client, a fresh process on
another core, counts them. The clients take turns, and what is compared is the median of ratios
within a round, for a machine that is busy with other things is slow for all of them.
"""
