"""Every number that a simulated Upbit can be given: how long things take, how much is allowed."""

from __future__ import annotations

from dataclasses import dataclass

from upbit_stream.protocol.limits import CONNECTS, REQUESTS, RateLimit

__all__ = ["Limits", "Span", "Timing"]

#: From and to, in seconds: each time a value in between is drawn.
Span = tuple[float, float]


_ORIGIN = RateLimit(1, 10.0)
_REST = RateLimit(10, 1.0)


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How long things take, in seconds. The defaults are quick, for tests.

    ``Timing.realistic()`` is what was measured on the exchange, ``Timing.instant()`` leaves out
    every delay that may be left out.
    """

    #: Between the upgrade request and its answer.
    handshake_latency: float = 0.0
    #: After a request: when the first and the second half of the snapshots are sent.
    snapshot_bursts: tuple[Span, ...] = ((0.001, 0.003), (0.005, 0.008))
    #: From an error frame to the close frame behind it.
    error_close_delay: Span = (0.005, 0.010)
    #: Silence in both directions after which a connection is dropped, without a close frame.
    idle_timeout: float = 60.5
    #: Between two ``{"status":"UP"}`` after a text ``PING``.
    status_interval: float = 10.0
    #: The grid of order book frames, and of candle frames.
    book_interval: float = 0.1
    candle_interval: float = 1.0
    #: How long a trade is over when its frame is sent.
    trade_lag: float = 0.046
    #: For how long frames of a replaced list may still come.
    late_window: float = 0.2
    #: Between two generated events of the private endpoint, while the market moves by itself.
    private_interval: float = 1.0
    #: How long an account's first subscription of its assets stays without an answer.
    first_asset_delay: float = 0.0
    #: After its close frame the server waits this long for the client's.
    close_timeout: float = 1.0

    @classmethod
    def realistic(cls) -> Timing:
        """As measured on the exchange in September 2026, from abroad."""
        return cls(
            handshake_latency=0.5,
            snapshot_bursts=((0.172, 0.188), (0.328, 0.354)),
            error_close_delay=(0.150, 0.180),
            first_asset_delay=90.0,
        )

    @classmethod
    def instant(cls) -> Timing:
        """Nothing waits, and the grids are fine."""
        return cls(
            snapshot_bursts=((0.0, 0.0),),
            error_close_delay=(0.0, 0.0),
            book_interval=0.02,
            candle_interval=0.05,
            trade_lag=0.0,
        )


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much a client may ask. The defaults are the exchange's own.

    ``Limits.off()`` allows everything.
    """

    #: Handshakes, by IP address (by account where there is a token).
    connects: tuple[RateLimit, ...] = CONNECTS
    #: Requests on one connection.
    requests: tuple[RateLimit, ...] = REQUESTS
    #: Handshakes that carry an ``Origin`` header.
    origin: RateLimit = _ORIGIN
    #: REST calls, by IP address and group (market, candle, trade, ticker, orderbook).
    rest: RateLimit = _REST
    #: Codes times indicators in one request of the info endpoint.
    combinations: int = 100
    #: So many refusals (429) of one address within ``ban_window`` seconds lead to a ban (418)
    #: of ``ban_seconds``, twice as long each time. None: no bans.
    ban_after: int | None = 10
    ban_window: float = 60.0
    ban_seconds: float = 5.0
    #: A span is shortened by this, because what left the client one second apart may arrive a
    #: little closer.
    tolerance: float = 0.05
    #: Bytes that may wait for a client that does not read; beyond it is dropped.
    buffer: int = 16 * 1024 * 1024
    #: A burst waits while more than this waits for a client, at most ``burst_patience`` seconds
    #: without any progress; then that client is dropped.
    burst_buffer: int = 2 * 1024 * 1024
    burst_patience: float = 10.0
    #: Frames of a replaced list that may still come after a request.
    late_frames: int = 2

    @classmethod
    def off(cls) -> Limits:
        """No rate limits; the bounds of memory stay."""
        endless = RateLimit(10**9, 1.0)
        return cls(
            connects=(),
            requests=(),
            origin=endless,
            rest=endless,
            combinations=10**9,
            ban_after=None,
        )
