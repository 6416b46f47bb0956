from __future__ import annotations

import functools

from tests.wire import ENDPOINTS, read_corpus, write
from upbit_stream import Event, Trade
from upbit_stream.protocol.decoding import Decoder
from upbit_stream.protocol.endpoints import Endpoint
from upbit_stream.protocol.wire_format import WireFormat
from upbit_stream.recording.lines import Numbers

#: A name for each format.
NAMES = ("events.jsonl", "events.jsonl.zst", "events.parquet")


@functools.cache
def corpus(numbers: Numbers) -> list[Event]:
    """The recorded frames of the exchange as events: every class, every odd frame."""
    events = []
    for frame in read_corpus():
        decoder = Decoder(WireFormat.SIMPLE, numbers, ENDPOINTS.get(frame.stream, Endpoint.PUBLIC))
        events += decoder.decode_all([write(frame.content, "SIMPLE").encode()])
    assert all(isinstance(event, Event) for event in events)
    return [event for event in events if isinstance(event, Event)]


def trades(count: int, first: int = 1) -> list[Trade]:
    """Trades of one market, told apart by their ids."""
    return [
        Trade(
            type="trade",
            code="KRW-BTC",
            trade_price=1000.5,
            trade_volume=0.1,
            timestamp=1_700_000_000_000 + number,
            sequential_id=number,
            stream_type="REALTIME",
        )
        for number in range(first, first + count)
    ]
