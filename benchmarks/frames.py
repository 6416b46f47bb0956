"""What is sent: tickers of 200 codes, encoded once."""

from __future__ import annotations

import json
import struct
from typing import Any

from upbit_stream import Ticker

__all__ = ["CODES", "encode_round", "payloads"]

CODES = tuple(f"KRW-B{number:03}" for number in range(200))

# A ticker with every field, as long as those of the exchange (about 920 bytes in DEFAULT).
_TICKER: dict[str, Any] = {
    "type": "ticker", "code": "", "opening_price": 116538000.00000000,
    "high_price": 117190000.00000000, "low_price": 115010000.00000000,
    "trade_price": 116543000.00000000, "prev_closing_price": 116539000.00000000,
    "acc_trade_price": 40211299954.450, "change": "RISE", "change_price": 4000.00000000,
    "signed_change_price": 4000.00000000, "change_rate": 0.0000343233,
    "signed_change_rate": 0.0000343233, "ask_bid": "BID", "trade_volume": 0.00001567,
    "acc_trade_volume": 345.04249000, "trade_date": "20261124", "trade_time": "080500",
    "trade_timestamp": 1795507500208, "acc_ask_volume": 168.26038000,
    "acc_bid_volume": 176.77821100, "highest_52_week_price": 198114600.00000000,
    "highest_52_week_date": "2026-07-27", "lowest_52_week_price": 69922800.00000000,
    "lowest_52_week_date": "2026-01-28", "market_state": "ACTIVE", "is_trading_suspended": False,
    "delisting_date": None, "market_warning": "NONE", "timestamp": 1795507500230,
    "acc_trade_price_24h": 46527550072.350, "acc_trade_volume_24h": 399.24110000,
    "stream_type": "REALTIME",
}  # fmt: skip


def payloads(short_keys: bool) -> list[bytes]:
    """One ticker for each code."""
    short = dict(zip(Ticker.__struct_fields__, Ticker.__struct_encode_fields__, strict=True))
    return [
        json.dumps(
            {short[key] if short_keys else key: value for key, value in ticker.items()},
            separators=(",", ":"),
        ).encode()
        for ticker in ({**_TICKER, "code": code} for code in CODES)
    ]


def encode_round(short_keys: bool) -> bytes:
    """The WebSocket frames of one ticker for each code."""
    frames = bytearray()
    for payload in payloads(short_keys):
        assert 126 <= len(payload) < 65536
        frames += struct.pack("!BBH", 0x82, 126, len(payload)) + payload
    return bytes(frames)
