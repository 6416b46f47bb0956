"""From the market to the sockets: who wants what, and each message written once for all of them.

Owned by the loop's thread.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from upbit_stream.protocol.wire_format import WireFormat
from upbit_stream.simulator.frames import Encoder, encoders
from upbit_stream.simulator.history import UNITS
from upbit_stream.simulator.market import Exchange, Fill, Market
from upbit_stream.simulator.misdelivery import TradeFaults

if TYPE_CHECKING:
    from upbit_stream.simulator.session import Session

__all__ = ["Feed", "Variant"]


class Variant(NamedTuple):
    """In which shape a message is wanted; ``units`` and ``level`` matter to order books only."""

    wire_format: WireFormat
    units: int = 0
    level: int = 0


@dataclass
class _Linger:
    """A stream of a replaced list, which may send a few frames more."""

    session: Session
    variant: Variant
    left: int
    until: float


_Sessions = dict["Session", None]


class Feed:
    """The subscriptions of all sessions on the public endpoint, by type and code."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.encoders: dict[WireFormat, Encoder] = dict(encoders())
        #: What happens to trades on their way.
        self.trade_faults = TradeFaults()
        # (type, code) → shape → who wants it so.
        self._routes: dict[tuple[str, str], dict[Variant, _Sessions]] = {}
        self._lingering: dict[tuple[str, str], list[_Linger]] = {}
        # Sessions with frames that were not written yet.
        self._touched: _Sessions = {}

    def add(self, session: Session, kind: str, code: str, variant: Variant) -> None:
        """Send this stream from now on."""
        # The market must exist for its grid, also where no snapshot asked for it.
        self.exchange.market(code)
        self._routes.setdefault((kind, code), {}).setdefault(variant, {})[session] = None

    def remove(self, session: Session, kind: str, code: str, variant: Variant) -> None:
        """Send this stream no more."""
        shapes = self._routes.get((kind, code))
        if shapes is None or variant not in shapes:
            return
        shapes[variant].pop(session, None)
        if not shapes[variant]:
            del shapes[variant]
        if not shapes:
            del self._routes[kind, code]

    def linger(
        self, session: Session, kind: str, code: str, variant: Variant, left: int, until: float
    ) -> None:
        """Send up to ``left`` more frames of a stream that was removed."""
        entry = _Linger(session, variant, left, until)
        self._lingering.setdefault((kind, code), []).append(entry)

    def forget(self, session: Session) -> None:
        """The session is gone; its streams were removed before."""
        self._touched.pop(session, None)
        for key, entries in list(self._lingering.items()):
            entries[:] = [entry for entry in entries if entry.session is not session]
            if not entries:
                del self._lingering[key]

    def wanted(self, kind: str, code: str) -> bool:
        """Whether anybody wants it."""
        return (kind, code) in self._routes or (kind, code) in self._lingering

    def _shapes(
        self, kind: str, code: str, now: float
    ) -> Iterable[tuple[Variant, Iterable[Session]]]:
        shapes = self._routes.get((kind, code))
        if shapes is not None:
            yield from shapes.items()
        if self._lingering:
            yield from self._late(kind, code, now)

    def _late(
        self, kind: str, code: str, now: float
    ) -> Iterable[tuple[Variant, Iterable[Session]]]:
        entries = self._lingering.get((kind, code), [])
        for entry in list(entries):
            if entry.left > 0 and now < entry.until:
                entry.left -= 1
                yield entry.variant, (entry.session,)
            else:
                entries.remove(entry)
        if not entries:
            self._lingering.pop((kind, code), None)

    def publish_trades(self, fills: Iterable[Fill], now: float) -> None:
        """Send trades to those who want them."""
        if self.trade_faults.active:
            fills = self.trade_faults.apply(fills)
        encoders, touched, nobody = self.encoders, self._touched, dict[Variant, _Sessions]()
        for fill in fills:
            # The one place where every microsecond counts.
            key = ("trade", fill.code)
            shapes: Iterable[tuple[Variant, Iterable[Session]]]
            if key in self._lingering:
                shapes = self._shapes(*key, now)
            else:
                shapes = self._routes.get(key, nobody).items()
            for variant, sessions in shapes:
                data = encoders[variant.wire_format].trade(fill, "REALTIME")
                for session in sessions:
                    session.outbox.append(data)
                    touched[session] = None

    def publish_tickers(self, fills: Iterable[Fill], now: float) -> None:
        """Send the state of each market that these trades changed, once a market.

        A ticker tells sums that include its trade, so of several trades made in one go only the
        last one has a ticker.
        """
        for fill in {fill.code: fill for fill in fills}.values():
            market = self.exchange.market(fill.code)
            for variant, sessions in self._shapes("ticker", fill.code, now):
                data = self.encoders[variant.wire_format].ticker(market, "REALTIME")
                for session in sessions:
                    self.push(session, data)

    def publish_book(self, market: Market, timestamp: int, now: float) -> None:
        """Send a book that changed, as of this point of the grid."""
        view = market.publish(timestamp)
        for variant, sessions in self._shapes("orderbook", market.code, now):
            data = self.encoders[variant.wire_format].orderbook(
                market.code, view, variant.units, variant.level, "REALTIME"
            )
            for session in sessions:
                self.push(session, data)

    def publish_candles(self, market: Market, now: float) -> None:
        """Send the candles that trades changed since the last time."""
        since = market.untold_since
        if since is None:
            return
        market.untold_since = None
        for unit in UNITS:
            kind = f"candle.{unit}"
            if not self.wanted(kind, market.code):
                continue
            for variant, sessions in self._shapes(kind, market.code, now):
                for bar in market.bars.since(unit, since):
                    data = self.encoders[variant.wire_format].candle(
                        kind, market.code, bar, "REALTIME"
                    )
                    for session in sessions:
                        self.push(session, data)

    def snapshot(self, kind: str, code: str, variant: Variant, stream_type: str) -> bytes | None:
        """The newest state of a stream as a frame; None where there is none."""
        market = self.exchange.market(code)
        encoder = self.encoders[variant.wire_format]
        if kind == "trade":
            return encoder.trade(market.last, stream_type)
        if kind == "ticker":
            return encoder.ticker(market, stream_type)
        if kind == "orderbook":
            view = market.seen()
            return encoder.orderbook(code, view, variant.units, variant.level, stream_type)
        bars = market.bars.newest(kind.partition(".")[2], None, 1)
        return encoder.candle(kind, code, bars[0], stream_type) if bars else None

    def push(self, session: Session, data: bytes) -> None:
        """Give a frame to a session, to be written with the next flush."""
        session.outbox.append(data)
        self._touched[session] = None

    def flush(self) -> None:
        """Write what was pushed, one write a session."""
        touched, self._touched = self._touched, {}
        for session in touched:
            session.flush()
