"""What each public object shows of itself in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from upbit_stream.connection.states import ConnectionState
from upbit_stream.events import Asset, Candle, Event, MyAsset, Orderbook, Ticker, Trade
from upbit_stream.notebook import figures
from upbit_stream.notebook.markup import Row, Text, Tone, card, facts, fields, folded, note, table
from upbit_stream.notebook.words import say

if TYPE_CHECKING:
    from upbit_stream.monitoring.health import ConnectionHealth
    from upbit_stream.monitoring.report import Criterion, DiagnosticsReport
    from upbit_stream.stream import UpbitStream
    from upbit_stream.subscription import Subscription

__all__ = ["event_card", "health_card", "report_card", "stream_card", "subscription_card"]

# Of long lists: what is shown at once.
_CODES = 8
_ROWS = 5
_SUBSCRIPTIONS = 20

_OUTCOMES = {"met": Tone.GOOD, "not met": Tone.BAD, "not measured": Tone.OVER}


def state_tone(state: ConnectionState) -> Tone:
    """The colour of a state."""
    if state is ConnectionState.CONNECTED:
        return Tone.GOOD
    return Tone.BAD if state is ConnectionState.ERROR else Tone.WARNING


def _state(state: ConnectionState) -> Text:
    return Text(say(state.value), state_tone(state))


def _closed() -> Text:
    return Text(say("closed"), Tone.OVER)


def _codes(codes: tuple[str, ...]) -> str:
    more = f" … +{len(codes) - _CODES:,}" if len(codes) > _CODES else ""
    return ", ".join(codes[:_CODES]) + more


def _alarm(count: int) -> Text:
    return Text(f"{count:,}", Tone.BAD if count else Tone.PLAIN)


def stream_card(stream: UpbitStream, *, closed: bool) -> str:
    """A stream: its connections, its subscriptions, what it did."""
    stats, subscriptions = stream.stats, stream.subscriptions
    rows = [
        (say("region"), stream.region),
        *((say("connection"), f"{one.name} · {one.url}") for one in stream.connections),
        (say("messages"), f"{stats.messages:,} ({figures.bytes_(stats.bytes)})"),
        (say("reconnects"), f"{stats.reconnects:,}"),
    ]
    titles = [say(one) for one in ("subscription", "delivered", "queued", "dropped", "errors")]
    lines: list[Row] = [
        [
            f"{one.type} {_codes(one.codes)}".rstrip(),
            f"{one.stats.delivered:,}",
            f"{one.stats.queued:,}",
            _alarm(one.stats.dropped),
            _alarm(one.stats.errors),
        ]
        for one in subscriptions[:_SUBSCRIPTIONS]
    ]
    below = table(titles, lines) if lines else note(say("nothing is subscribed"))
    hidden = len(subscriptions) - len(lines)
    return card(
        "UpbitStream",
        _closed() if closed else _state(stream.state),
        facts(rows),
        below,
        note(f"… +{hidden:,}") if hidden else "",
    )


def subscription_card(subscription: Subscription[Any], callbacks: str) -> str:
    """A subscription: what it is for, what became of its events."""
    stats = subscription.stats
    rows: list[tuple[str, str | Text]] = []
    if subscription.codes:
        rows.append((say("codes"), _codes(subscription.codes)))
    if callbacks:
        rows.append((say("callbacks"), callbacks))
    rows += [
        (say("received"), f"{stats.received:,}"),
        (say("delivered"), f"{stats.delivered:,}"),
        (say("queued"), f"{stats.queued:,}"),
        (say("dropped"), _alarm(stats.dropped)),
        (say("errors"), _alarm(stats.errors)),
        (say("newest event"), figures.seconds(stats.last_event_age)),
    ]
    if subscription.missing:
        rows.append((say("silent"), Text(_codes(subscription.missing), Tone.WARNING)))
    if subscription.error is not None:
        badge = Text(say("error"), Tone.BAD)
        rows.append((say("error"), Text(str(subscription.error), Tone.BAD)))
    elif subscription.closed:
        badge = _closed()
    else:
        badge = Text(subscription.type, Tone.FALL)
    return card("Subscription", badge, facts(rows))


def health_card(health: ConnectionHealth) -> str:
    """Health: the figures, the problems, each connection."""
    badge, problems = Text(say("healthy"), Tone.GOOD), health.problems
    if health.closed:
        badge, problems = _closed(), ()  # as it was meant to be
    elif problems:
        badge = Text(say("not healthy"), Tone.BAD)
    rows: list[tuple[str, str | Text]] = [
        (say("state"), say("closed" if health.closed else health.state.value)),
        (
            say("ping"),
            f"{figures.milliseconds(health.ping_latency)} ({say('median')} "
            f"{figures.milliseconds(health.latency_p50)}, p99 "
            f"{figures.milliseconds(health.latency_p99)})",
        ),
        (say("success"), f"{health.message_success_rate:.1%}"),
        (
            say("reconnects"),
            f"{health.reconnects:,} ({health.reconnection_frequency:.2f}/min)",
        ),
        (say("messages a second"), f"{health.messages_per_second:,.1f}"),
        (say("newest message"), figures.seconds(health.last_message_age)),
        (
            say("last error"),
            say("never")
            if health.last_error_time is None
            else figures.clock(health.last_error_time),
        ),
        (say("dropped"), _alarm(health.dropped)),
        (say("queued"), f"{health.queued:,}"),
        (say("callback errors"), _alarm(health.callback_errors)),
    ]
    if health.rss is not None:
        rows.append((say("memory"), figures.bytes_(health.rss)))
    below = ""
    if health.connections:
        titles = ("connection", "state", "ping", "messages a second", "reconnects")
        below = table([say(one) for one in titles], map(_connection, health.connections))
    notes = "".join(note(problem, Tone.BAD) for problem in problems)
    return card(f"{say('Health')} · {health.name}", badge, notes, facts(rows), below)


def _connection(health: ConnectionHealth) -> Row:
    return [
        health.name,
        Text(say(health.state.value), state_tone(health.state)),
        figures.milliseconds(health.ping_latency),
        f"{health.messages_per_second:,.1f}",
        f"{health.reconnects:,}",
    ]


def report_card(report: DiagnosticsReport) -> str:
    """A connection test: the verdict, and what it follows from."""
    from upbit_stream.monitoring.text import sections

    met = sum(one.met for one in report.verdict)
    badge = Text(f"{say('healthy')} {met}/{len(report.verdict)}", Tone.GOOD)
    if not report.healthy:
        badge = Text(f"{say('not healthy')} {met}/{len(report.verdict)}", Tone.BAD)
    titles = [say(one) for one in ("criterion", "measured", "demanded", "")]
    parts = [note(f"{report.url} · {report.began}")]
    if (failure := report.connectivity.failure) is not None:
        parts.append(note(f"{failure.name}: {failure.explanation}", Tone.BAD))
    parts.append(table(titles, map(_criterion, report.verdict)))
    parts += [
        folded(say(title), facts((say(label), words) for label, words in rows))
        for title, rows in sections(report)
    ]
    return card(say("Connection test"), badge, *parts)


def _criterion(criterion: Criterion) -> Row:
    from upbit_stream.monitoring.text import describe_figure

    mark = Text(say(criterion.outcome), _OUTCOMES[criterion.outcome])
    sign = "< " if criterion.relation == "<" else "≤ " if criterion.limit else ""
    limit = f"{sign}{criterion.limit:g} {criterion.unit}".rstrip()
    return [say(criterion.name), describe_figure(criterion), limit, mark]


def event_card(event: Event) -> str:
    """An event: what matters of it, and all fields when they are asked for."""
    plain = {name: value for name, value in event.to_dict().items() if value is not None}
    shown, inside = _essence(event)
    kind = event.type or type(event).__name__
    title = kind if event.code is None else f"{kind} {event.code}"
    tones = {"REALTIME": Tone.GOOD, "BACKFILL": Tone.WARNING}
    badge = None
    if event.stream_type is not None:
        badge = Text(event.stream_type, tones.get(event.stream_type, Tone.FALL))
    rest = _fields((name, value) for name, value in plain.items() if name not in _NESTED)
    if shown or inside:
        rest = folded(f"{say('all fields')} ({len(plain)})", rest)
    return card(title, badge, fields(shown) if shown else "", inside, rest)


# Shown as tables of their own.
_NESTED = ("orderbook_units", "assets")


def _essence(event: Event) -> tuple[list[tuple[str, str | Text]], str]:
    """The fields that matter, and a table, if there is one."""
    if isinstance(event, Ticker):
        change = event.signed_change_rate
        return [
            ("trade_price", Text(figures.price(event.trade_price), _tone(change))),
            ("signed_change_rate", Text(figures.percent(change), _tone(change))),
            ("high_price", figures.price(event.high_price)),
            ("low_price", figures.price(event.low_price)),
            ("acc_trade_price_24h", figures.amount(event.acc_trade_price_24h)),
            ("datetime", figures.clock(event.datetime)),
        ], ""
    if isinstance(event, Trade):
        side = Tone.RISE if event.ask_bid == "BID" else Tone.FALL
        return [
            ("trade_price", figures.price(event.trade_price)),
            ("trade_volume", figures.amount(event.trade_volume)),
            ("ask_bid", Text(str(event.ask_bid or "–"), side)),
            ("trade_datetime", figures.clock(event.trade_datetime)),
        ], ""
    if isinstance(event, Candle):
        names = ("opening_price", "high_price", "low_price", "trade_price")
        prices = [(name, figures.price(getattr(event, name))) for name in names]
        volume = ("candle_acc_trade_volume", figures.amount(event.candle_acc_trade_volume))
        return [*prices, volume, ("candle_datetime", figures.clock(event.candle_datetime))], ""
    if isinstance(event, Orderbook):
        return [
            ("spread", figures.price(event.spread)),
            ("mid", figures.price(event.mid)),
            ("datetime", figures.clock(event.datetime)),
        ], _book(event)
    if isinstance(event, MyAsset):
        return [("datetime", figures.clock(event.datetime))], _assets(event.assets or ())
    return [], ""


def _tone(change: float | None) -> Tone:
    if not change:
        return Tone.PLAIN
    return Tone.RISE if change > 0 else Tone.FALL


def _book(book: Orderbook) -> str:
    asks, bids = book.asks[:_ROWS], book.bids[:_ROWS]
    rows: list[Row] = [
        [say("ask"), Text(figures.price(one.price), Tone.FALL), figures.amount(one.size)]
        for one in reversed(asks)
    ]
    rows += [
        [say("bid"), Text(figures.price(one.price), Tone.RISE), figures.amount(one.size)]
        for one in bids
    ]
    return table(["", say("price"), say("size")], rows)


def _assets(assets: Iterable[Asset]) -> str:
    rows = [[one.currency, f"{one.balance}", f"{one.locked}"] for one in assets]
    return table(["currency", "balance", "locked"], rows)


def _fields(plain: Iterable[tuple[str, Any]]) -> str:
    def lines() -> Iterator[tuple[str, str]]:
        for name, value in plain:
            if isinstance(value, dict):
                value = ", ".join(f"{key}={one}" for key, one in value.items() if one is not None)
            yield name, f"{value:,}" if isinstance(value, float) else str(value)

    return fields(lines())
