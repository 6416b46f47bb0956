"""Upbit's wire as pure functions and values: no socket, no thread, no clock.

Read ``endpoints`` for where, ``requests`` for what is asked, ``decoding`` for what is answered,
``limits`` for how often, ``codes`` for how a market is named.
"""
