"""The feed over a broker: one process reads the exchange, and any number of others, on any machine,
get its events with the same callbacks as before.

It needs the extra of the broker: ``pip install "upbit-stream[redis]"``.
"""
