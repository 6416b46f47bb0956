"""Any event, as the wire could write it: a strategy for hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.wire import CLASSES, KEYS, NESTED, UNIT_KEYS, Number

__all__ = ["contents"]

codes = st.from_regex(r"(KRW|BTC|USDT)-[A-Z0-9]{1,8}", fullmatch=True)
digits = st.text("0123456789", min_size=1, max_size=20)
# Every way in which JSON can spell a number, up to 40 digits and exponents as on the wire.
numbers = st.builds(
    lambda sign, whole, fraction, exponent: Number(f"{sign}{int(whole)}{fraction}{exponent}"),
    st.sampled_from(["", "-"]),
    digits,
    st.one_of(st.just(""), digits.map(lambda text: "." + text)),
    st.one_of(st.just(""), st.integers(-12, 12).map(lambda power: f"E{power}")),
)
stamps = st.integers(0, 2**53).map(lambda stamp: Number(str(stamp)))
texts = st.text(max_size=12)
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "code": codes,
    "timestamp": stamps,
    "trade_timestamp": stamps,
    "sequential_id": stamps,
    "stream_type": st.sampled_from(["SNAPSHOT", "REALTIME", "SOMETHING_NEW"]),
    "ask_bid": st.sampled_from(["ASK", "BID", "NEITHER"]),
    "change": st.sampled_from(["RISE", "EVEN", "FALL", "HALT"]),
    "market_state": st.sampled_from(["PREVIEW", "ACTIVE", "DELISTED", "PAUSED"]),
    "delisting_date": st.fixed_dictionaries(
        {name: st.integers(1, 3000).map(lambda n: Number(str(n))) for name in ("year", "month")}
    ),
    "is_trading_suspended": st.booleans(),
    "orderbook_units": st.lists(
        st.fixed_dictionaries({}, optional=dict.fromkeys(UNIT_KEYS, st.one_of(st.none(), numbers))),
        max_size=31,
    ),
    "assets": st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "currency": st.none() | texts,
                **dict.fromkeys(("balance", "locked"), numbers),
            },
        ),
        max_size=4,
    ),
    "params": st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(NESTED["params"], stamps),
            "type": st.sampled_from(["SMA", "EMA", "NEW"]),
            "multiplier": numbers,
        },
    ),
    "event_params": st.fixed_dictionaries(
        {}, optional=dict.fromkeys(NESTED["event_params"], numbers)
    ),
    "value": st.fixed_dictionaries(
        {}, optional=dict.fromkeys(NESTED["value"], st.none() | numbers)
    ),
    "is_maker": st.booleans(),
    "trades_count": stamps,
    "order_timestamp": stamps,
    "asset_timestamp": stamps,
    **dict.fromkeys(
        (
            "uuid",
            "order_type",
            "state",
            "trade_uuid",
            "time_in_force",
            "identifier",
            "smp_type",
            "asset_uuid",
            "event_type",
            "title",
            "category",
            "url",
            "first_listed_at",
            "listed_at",
            "body",
            "timeframe",
            "indicator",
            "trigger",
        ),
        texts,
    ),
    **dict.fromkeys(
        (
            "trade_date",
            "trade_time",
            "highest_52_week_date",
            "lowest_52_week_date",
            "market_warning",
            "candle_date_time_utc",
            "candle_date_time_kst",
        ),
        texts,
    ),
}
UNITS = ("1s", "1m", "3m", "5m", "10m", "15m", "30m", "60m", "240m")


@st.composite
def contents(draw: st.DrawFn, stream: str | None = None) -> dict[str, Any]:
    """The long-keyed content of a frame, of ``stream`` or of any."""
    if stream is None:
        stream = draw(st.sampled_from(sorted(CLASSES)))
    type_ = f"candle.{draw(st.sampled_from(UNITS))}" if stream == "candle" else stream
    fields = {name: KINDS.get(name, numbers) for name in KEYS[stream] if name != "type"}
    if stream == "orderbook":
        present = draw(st.fixed_dictionaries({"orderbook_units": fields.pop("orderbook_units")}))
    else:
        present = {}
    present |= draw(
        st.fixed_dictionaries(
            {}, optional={name: st.one_of(st.none(), kind) for name, kind in fields.items()}
        )
    )
    new = draw(st.dictionaries(st.sampled_from(["zz_new", "zz_other"]), st.integers(), max_size=1))
    return {"type": type_, **present, **new}
