"""The REST calls of a repair: trades, candles, markets, order books, tickers."""

from __future__ import annotations

from upbit_stream.simulator.market import Exchange

__all__ = ["Rest"]


class Rest:
    """Answers from the same market that the sockets are fed from."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
