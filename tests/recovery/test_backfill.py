"""Trades and candles that a lost connection missed: each delivered once, in order, or told of."""

from __future__ import annotations

import dataclasses
import itertools
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

import pytest

from tests.conftest import ACCESS_KEY, SECRET_KEY, eventually, our_threads
from upbit_stream import Candle, Gap, Orderbook, ReconnectPolicy, StreamConfig, Trade, UpbitStream
from upbit_stream.simulator import Limits, Simulator

CODES = ("KRW-BTC", "KRW-ETH", "KRW-XRP")


@pytest.fixture
def config(config: StreamConfig) -> StreamConfig:
    """Losses may follow each other."""
    return dataclasses.replace(config, reconnect=ReconnectPolicy(min_interval=0.05))


class Tape:
    """What a stream was given, and told."""

    def __init__(self, stream: UpbitStream, codes: Sequence[str] = CODES) -> None:
        self.trades: list[Trade] = []
        self.gaps: list[Gap] = []
        stream.on_gap(self.gaps.append)
        self.subscription = stream.trade(codes, self.trades.append)

    def of(self, code: str) -> list[Trade]:
        return [trade for trade in self.trades if trade.code == code]

    def ids(self, code: str) -> list[int]:
        return [trade.sequential_id for trade in self.of(code)]

    def complete(self, sim: Simulator) -> bool:
        """Whether every trade came since the first one, once and in order."""
        return all(
            self._is_complete(self.ids(code), sim.ledger(code))
            for code in {trade.code for trade in self.trades}
        )

    @staticmethod
    def _is_complete(ids: list[int], ledger: list[int]) -> bool:
        # A snapshot may be of a trade before the simulator's start, which no ledger has.
        return [one for one in ids if one >= ledger[0]] == [one for one in ledger if one >= ids[0]]

    def wait_for(self, code: str, newest: int) -> None:
        eventually(lambda: newest in self.ids(code))


@pytest.fixture
def flowing(config: StreamConfig, sim: Simulator) -> Iterator[tuple[UpbitStream, Tape]]:
    """A stream of trades of each code that has begun."""
    with UpbitStream(config=config) as stream:
        tape = Tape(stream)
        eventually(lambda: len(tape.trades) == len(CODES))  # the snapshots
        for code in CODES:
            tape.wait_for(code, sim.trade(code))
        yield stream, tape


def lose(sim: Simulator, meanwhile: Callable[[], object]) -> None:
    """An outage in which something happens."""
    sim.refuse()
    sim.reset()
    meanwhile()
    sim.accept()


def test_trades_of_an_outage_come_before_the_live_ones(
    flowing: tuple[UpbitStream, Tape], sim: Simulator
) -> None:
    stream, tape = flowing
    before = len(tape.of("KRW-BTC"))
    missed: list[int] = []
    lose(sim, lambda: missed.extend(sim.trade("KRW-BTC") for _ in range(7)))
    eventually(lambda: stream.stats.messages >= 9)  # the snapshots have come, too
    live = sim.trade("KRW-BTC")
    tape.wait_for("KRW-BTC", live)
    assert tape.complete(sim)
    came = tape.of("KRW-BTC")[before:]
    assert [trade.sequential_id for trade in came] == [*missed, live]
    assert {trade.stream_type for trade in came[:-1]} == {"BACKFILL"}
    assert {trade.best_ask_price for trade in came[:-1]} == {None}
    eventually(lambda: tape.gaps)
    (gap,) = tape.gaps
    assert (gap.type, gap.codes, gap.recovered, gap.count) == ("trade", ("KRW-BTC",), True, 7)
    assert gap.by_code == {"KRW-BTC": 7}
    assert gap.from_timestamp <= missed[0] // 10_000 <= missed[-1] // 10_000 <= gap.to_timestamp
    # One page for the code that had trades, none for the others: their snapshots told that.
    assert len(sim.rest_calls) == 1
    assert stream.stats.backfilled == 7
    assert stream.stats.duplicates == 0


def test_a_repaired_trade_is_the_one_that_would_have_come(
    flowing: tuple[UpbitStream, Tape], sim: Simulator, config: StreamConfig
) -> None:
    _, tape = flowing
    with UpbitStream(config=config) as other:
        live = Tape(other)
        eventually(lambda: live.trades)
        sim.duplicate_trades(0)
        lose(sim, lambda: sim.trade("KRW-ETH", price=3_400_000, volume="0.12345678"))
        tape.wait_for("KRW-ETH", sim.ledger("KRW-ETH")[-1])
    fetched = tape.of("KRW-ETH")[-1]
    assert fetched.stream_type == "BACKFILL"
    assert (fetched.trade_price, fetched.trade_volume) == (3_400_000, 0.12345678)
    assert fetched.trade_datetime is not None
    assert fetched.trade_date == fetched.trade_datetime.date().isoformat()
    assert fetched.trade_time == fetched.trade_datetime.time().isoformat("seconds")
    assert fetched.change in ("RISE", "EVEN", "FALL")
    difference = fetched.trade_price - fetched.prev_closing_price
    assert fetched.change_price == pytest.approx(abs(difference))
    assert (fetched.change == "RISE") == (difference > 0)
    assert fetched.code == "KRW-ETH"


def test_with_decimals_every_digit_is_kept(config: StreamConfig, sim: Simulator) -> None:
    with UpbitStream(config=dataclasses.replace(config, numbers="decimal")) as stream:
        tape = Tape(stream)
        eventually(lambda: len(tape.trades) == len(CODES))
        lose(sim, lambda: sim.trade("KRW-BTC", volume="0.00000001"))
        tape.wait_for("KRW-BTC", sim.ledger("KRW-BTC")[-1])
    assert tape.of("KRW-BTC")[-1].stream_type == "BACKFILL"
    assert tape.of("KRW-BTC")[-1].trade_volume == Decimal("0.00000001")


def test_an_outage_in_which_nothing_happened_asks_and_tells_nothing(
    flowing: tuple[UpbitStream, Tape], sim: Simulator
) -> None:
    stream, tape = flowing
    lose(sim, lambda: None)
    eventually(lambda: stream.stats.messages >= 9)  # the snapshots have come, too
    for code in CODES:
        tape.wait_for(code, sim.trade(code))
    assert tape.complete(sim)
    assert tape.gaps == []
    assert sim.rest_calls == []


def test_without_snapshots_nothing_is_lost_either(config: StreamConfig, sim: Simulator) -> None:
    with UpbitStream(config=config) as stream:
        trades: list[Trade] = []
        stream.trade("KRW-BTC", trades.append, snapshot=False)
        eventually(lambda: stream.stats.messages == 1)  # the snapshot, which nobody is given
        first = sim.trade("KRW-BTC")
        eventually(lambda: trades)
        missed: list[int] = []
        lose(sim, lambda: missed.extend(sim.trade("KRW-BTC") for _ in range(3)))
        eventually(lambda: len(trades) == 4)
    assert [trade.sequential_id for trade in trades] == [first, *missed]
    assert "SNAPSHOT" not in {trade.stream_type for trade in trades}


def test_a_code_that_was_quiet_until_the_loss_is_repaired(
    config: StreamConfig, sim: Simulator
) -> None:
    """Where the snapshot was not wanted, it is known all the same where the stream began."""
    with UpbitStream(config=config) as stream:
        trades: list[Trade] = []
        stream.trade("KRW-BTC", trades.append, snapshot=False)
        eventually(lambda: stream.stats.messages == 1)  # the snapshot, which nobody is given
        missed: list[int] = []
        lose(sim, lambda: missed.extend(sim.trade("KRW-BTC") for _ in range(3)))
        eventually(lambda: len(trades) == 3)
        assert [trade.sequential_id for trade in trades] == missed


def test_other_codes_do_not_wait(flowing: tuple[UpbitStream, Tape], sim: Simulator) -> None:
    stream, tape = flowing
    sim.stall_rest(1)
    lose(sim, lambda: sim.trade("KRW-BTC"))
    eventually(lambda: len(sim.requests) == 2)
    eventually(lambda: stream.stats.messages >= 9)  # three more snapshots: of one code they told
    waiting = sim.trade("KRW-BTC")
    tape.wait_for("KRW-ETH", sim.trade("KRW-ETH"))
    tape.wait_for("KRW-XRP", sim.trade("KRW-XRP"))
    assert waiting not in tape.ids("KRW-BTC")
    # The call that was never answered is given up, and made again.
    tape.wait_for("KRW-BTC", waiting)
    assert tape.complete(sim)


def test_a_repair_that_takes_too_long_is_given_up_and_told(
    config: StreamConfig, sim: Simulator
) -> None:
    with UpbitStream(config=dataclasses.replace(config, backfill_deadline=0.5)) as stream:
        tape = Tape(stream)
        eventually(lambda: len(tape.trades) == len(CODES))
        sim.fail_rest(503, 1000)
        missed: list[int] = []
        lose(sim, lambda: missed.extend(sim.trade("KRW-BTC") for _ in range(3)))
        eventually(lambda: stream.stats.messages >= 6)  # the snapshots have come, too
        live = sim.trade("KRW-BTC")
        tape.wait_for("KRW-BTC", live)
        eventually(lambda: tape.gaps)
        (gap,) = tape.gaps
        assert (gap.type, gap.codes, gap.recovered, gap.count) == ("trade", ("KRW-BTC",), False, 0)
        assert "503" in gap.why
        assert gap.from_timestamp <= missed[0] // 10_000
        assert gap.to_timestamp >= missed[-2] // 10_000
        # The last one missed was the snapshot: that much is known.
        assert tape.ids("KRW-BTC")[-2:] == [missed[-1], live]
        assert stream.close()
    assert our_threads() == []


def test_a_second_loss_during_a_repair_loses_nothing(
    flowing: tuple[UpbitStream, Tape], sim: Simulator
) -> None:
    _, tape = flowing
    sim.slow_rest(0.3)
    for requests in (2, 3, 4):
        lose(sim, lambda: sim.burst(50, CODES))
        eventually(lambda: len(sim.requests) == requests)  # noqa: B023
        sim.burst(30, CODES)
    sim.slow_rest(0.0)
    for code in CODES:
        tape.wait_for(code, sim.trade(code))
    eventually(lambda: tape.complete(sim))
    assert sum(gap.count for gap in tape.gaps if not gap.recovered) == 0


def forget(sim: Simulator, tape: Tape, meanwhile: Callable[[], object]) -> None:
    """The exchange loses a code, and finds it again with the next list that is asked for."""
    sim.forget_subscription("trade", "KRW-BTC")
    meanwhile()
    tape.subscription.add("KRW-SOL")
    assert sim.wait_for_subscription("trade", "KRW-SOL", timeout=20)
    eventually(lambda: tape.of("KRW-SOL"))  # the snapshots have come


def test_what_a_snapshot_tells_of_comes_before_what_follows(
    flowing: tuple[UpbitStream, Tape], sim: Simulator
) -> None:
    _, tape = flowing
    missed: list[int] = []
    forget(sim, tape, lambda: missed.extend(sim.trade("KRW-BTC") for _ in range(3)))
    live = [sim.trade("KRW-BTC"), sim.trade("KRW-BTC")]
    tape.wait_for("KRW-BTC", live[-1])
    assert tape.ids("KRW-BTC")[-5:] == [*missed, *live]
    eventually(lambda: [(gap.codes, gap.count) for gap in tape.gaps] == [(("KRW-BTC",), 3)])


def test_what_a_snapshot_tells_of_comes_though_nothing_follows(
    flowing: tuple[UpbitStream, Tape], sim: Simulator
) -> None:
    _, tape = flowing
    missed: list[int] = []
    forget(sim, tape, lambda: missed.extend(sim.trade("KRW-BTC") for _ in range(3)))
    tape.wait_for("KRW-BTC", missed[-1])
    assert tape.ids("KRW-BTC")[-3:] == missed


def test_what_is_missed_during_a_repair_is_fetched_too(
    flowing: tuple[UpbitStream, Tape], sim: Simulator
) -> None:
    _, tape = flowing
    sim.slow_rest(1.0)
    lose(sim, lambda: sim.trade("KRW-BTC"))
    eventually(lambda: len(sim.requests) == 2)
    # Two of its trades wait, and between them others are missing.
    before = sim.trade("KRW-BTC")
    forget(sim, tape, lambda: [sim.trade("KRW-BTC") for _ in range(3)])
    assert before not in tape.ids("KRW-BTC")  # it is being repaired
    after = sim.trade("KRW-BTC")
    sim.slow_rest(0.0)
    tape.wait_for("KRW-BTC", after)
    # The first one is the snapshot, of a trade before the ledger.
    assert tape.ids("KRW-BTC")[1:] == sim.ledger("KRW-BTC")


def test_many_pages_within_the_limit_the_busiest_first(
    config: StreamConfig, sim: Simulator
) -> None:
    with UpbitStream(config=config) as stream:
        tape = Tape(stream)
        eventually(lambda: len(tape.trades) == len(CODES))
        sim.burst(100, ["KRW-XRP"])
        eventually(lambda: len(tape.of("KRW-XRP")) == 101)

        def meanwhile() -> None:
            sim.burst(3000, ["KRW-XRP"])
            sim.burst(20, ["KRW-BTC", "KRW-ETH"])

        lose(sim, meanwhile)
        eventually(lambda: len(sim.requests) == 2)
        for code in CODES:
            tape.wait_for(code, sim.trade(code))
        assert tape.complete(sim)
        assert {call.status for call in sim.rest_calls} == {200}
        per_code = [call.query["market"] for call in sim.rest_calls]
        assert per_code.count("KRW-XRP") >= 6
        moments = [call.at for call in sim.rest_calls]
        assert not [a for a, b in zip(moments, moments[10:], strict=False) if b - a < 1.0]
        fetched = [trade for trade in tape.trades if trade.stream_type == "BACKFILL"]
        assert len(fetched) >= 3020
        eventually(lambda: sum(gap.count for gap in tape.gaps) == len(fetched))


def test_429_and_418_are_waited_out(flowing: tuple[UpbitStream, Tape], sim: Simulator) -> None:
    _, tape = flowing
    sim.fail_rest(429)
    sim.fail_rest(418, headers={"Retry-After": "1"})
    lose(sim, lambda: sim.trade("KRW-BTC"))
    tape.wait_for("KRW-BTC", sim.ledger("KRW-BTC")[-1])
    first, second, third = (call.at for call in sim.rest_calls)
    assert second - first >= 1.0
    assert third - second >= 1.0
    assert tape.complete(sim)


def test_rest_that_lags_behind_the_socket_is_asked_again(
    flowing: tuple[UpbitStream, Tape], sim: Simulator
) -> None:
    _, tape = flowing
    sim.fail_rest(200, body="[]")  # as if it knew of nothing yet
    lose(sim, lambda: [sim.trade("KRW-BTC") for _ in range(3)])
    tape.wait_for("KRW-BTC", sim.ledger("KRW-BTC")[-1])
    assert tape.complete(sim)
    assert len(sim.rest_calls) == 2


def test_backfill_off(config: StreamConfig, sim: Simulator) -> None:
    with UpbitStream(config=dataclasses.replace(config, backfill=False)) as stream:
        tape = Tape(stream)
        eventually(lambda: len(tape.trades) == len(CODES))
        missed: list[int] = []
        lose(sim, lambda: missed.extend(sim.trade("KRW-BTC") for _ in range(3)))
        eventually(lambda: tape.ids("KRW-BTC")[-1] == missed[-1])  # the snapshot
        assert missed[0] not in tape.ids("KRW-BTC")
        eventually(lambda: tape.gaps)
        (gap,) = tape.gaps
        assert (gap.codes, gap.recovered, gap.why[:15]) == (CODES, False, "backfill is off")
        assert sim.rest_calls == []


def test_what_has_no_past_is_told(config: StreamConfig, sim: Simulator) -> None:
    with UpbitStream(config=config) as stream:
        tape = Tape(stream)
        books: list[Orderbook] = []
        stream.orderbook("KRW-BTC", books.append)
        stream.ticker(CODES, lambda ticker: None)
        eventually(lambda: stream.stats.received == 2 * len(CODES) + 1)
        lose(sim, lambda: None)
        eventually(lambda: len(tape.gaps) == 2)
        by_type = {gap.type: gap for gap in tape.gaps}
        assert by_type["orderbook"].codes == ("KRW-BTC",)
        assert by_type["ticker"].codes == CODES
        for gap in tape.gaps:
            assert not gap.recovered
            assert "snapshot" in gap.why
            assert gap.from_timestamp <= gap.to_timestamp
        eventually(lambda: len(books) >= 2)


def test_only_those_who_were_there_get_what_was_missed(
    flowing: tuple[UpbitStream, Tape], sim: Simulator, config: StreamConfig
) -> None:
    stream, tape = flowing
    sim.stall_rest(1)
    missed = [0]
    lose(sim, lambda: missed.append(sim.trade("KRW-BTC")))
    eventually(lambda: stream.stats.messages >= 9)  # the snapshots have come, too
    # Joins while the repair is under way.
    late: list[Trade] = []
    stream.trade("KRW-BTC", late.append)
    eventually(lambda: late)
    after = [sim.trade("KRW-BTC") for _ in range(3)]
    tape.wait_for("KRW-BTC", after[-1])
    assert tape.complete(sim)
    eventually(lambda: [trade.sequential_id for trade in late] == [missed[-1], *after])
    assert [trade.stream_type for trade in late] == ["SNAPSHOT", *["REALTIME"] * 3]


def test_duplicates_are_dropped_and_late_trades_delivered(
    flowing: tuple[UpbitStream, Tape], sim: Simulator
) -> None:
    stream, tape = flowing
    sim.duplicate_trades(5)
    made = [sim.trade("KRW-BTC") for _ in range(10)]
    tape.wait_for("KRW-BTC", made[-1])
    assert tape.ids("KRW-BTC")[-10:] == made
    sim.reorder_trades(1)
    first, second = sim.trade("KRW-BTC"), sim.trade("KRW-BTC")
    tape.wait_for("KRW-BTC", first)
    assert tape.ids("KRW-BTC")[-2:] == [second, first]
    lose(sim, lambda: None)  # counters are brought up to date now and then
    eventually(lambda: (stream.stats.duplicates, stream.stats.late) == (5, 1))


def test_a_trade_that_the_socket_left_out_is_found_by_the_next_snapshot(
    flowing: tuple[UpbitStream, Tape], sim: Simulator
) -> None:
    stream, tape = flowing
    sim.drop_trades(2)
    lost = [sim.trade("KRW-BTC"), sim.trade("KRW-BTC")]
    stream.trade("KRW-BTC", lambda trade: None)  # a new list brings a new snapshot
    eventually(lambda: set(lost) <= set(tape.ids("KRW-BTC")))
    eventually(lambda: [gap.count for gap in tape.gaps] == [2])
    assert tape.complete(sim)


def test_a_code_that_the_exchange_forgot_is_repaired(
    flowing: tuple[UpbitStream, Tape], sim: Simulator
) -> None:
    stream, tape = flowing
    sim.forget_subscription("trade", "KRW-BTC")
    sim.trade("KRW-BTC")
    sim.trade("KRW-BTC")
    stream.list_subscriptions()  # tells that it has another list; it is asked for again
    tape.wait_for("KRW-BTC", sim.trade("KRW-BTC"))
    assert tape.complete(sim)


def test_closing_during_a_repair_delivers_what_waits_and_tells(
    flowing: tuple[UpbitStream, Tape], sim: Simulator
) -> None:
    stream, tape = flowing
    sim.slow_rest(1.0)
    lose(sim, lambda: sim.trade("KRW-BTC"))
    eventually(lambda: stream.stats.messages >= 9)  # the snapshots, too
    live = sim.trade("KRW-BTC")
    eventually(lambda: stream.stats.messages >= 10)
    assert stream.close()
    assert tape.ids("KRW-BTC")[-1] == live
    (gap,) = tape.gaps
    assert not gap.recovered
    assert "ended" in gap.why
    assert our_threads() == []


def test_the_threads_of_repairs_end_by_themselves(
    flowing: tuple[UpbitStream, Tape], sim: Simulator
) -> None:
    _, tape = flowing
    lose(sim, lambda: sim.trade("KRW-BTC"))
    tape.wait_for("KRW-BTC", sim.ledger("KRW-BTC")[-1])
    eventually(lambda: not [name for name in our_threads() if "repair" in name])


def test_missed_candles_come_before_the_present_one(config: StreamConfig) -> None:
    moment = itertools.count()
    now = [1_790_000_000.0]
    clock = threading.Lock()

    def tick() -> float:
        with clock:
            next(moment)
            return now[0]

    with Simulator(rate=0, clock=tick) as sim:
        config = dataclasses.replace(config, url=sim.url, rest_url=sim.rest_url)
        with UpbitStream(config=config) as stream:
            candles: list[Candle] = []
            gaps: list[Gap] = []
            stream.on_gap(gaps.append)
            stream.candle("KRW-BTC", candles.append, unit="1m")
            sim.trade("KRW-BTC")
            eventually(lambda: candles)
            sim.trade("KRW-BTC")
            eventually(lambda: len(candles) >= 2)
            seen = len(candles)

            def meanwhile() -> None:
                sim.trade("KRW-BTC")  # the candle that was open goes on
                for _ in range(3):
                    now[0] += 60
                    sim.trade("KRW-BTC")

            lose(sim, meanwhile)
            bars = sim.candles("KRW-BTC", "1m", 4)[::-1]
            eventually(lambda: len(candles) >= seen + 4)
            fetched = candles[seen:]
            assert [one.stream_type for one in fetched] == ["BACKFILL"] * 3 + ["SNAPSHOT"]
            starts = [one.candle_datetime for one in fetched]
            assert [int(start.timestamp()) for start in starts if start] == [
                bar.start for bar in bars
            ]
            assert fetched[0].trade_price == bars[0].close / 1e8
            eventually(lambda: [(gap.recovered, gap.count) for gap in gaps] == [(True, 3)])
            # An outage within a candle misses none that is closed.
            lose(sim, lambda: sim.trade("KRW-BTC"))
            eventually(lambda: len(candles) == seen + 5)
            assert candles[-1].stream_type == "SNAPSHOT"
            assert len(sim.rest_calls) == 1


def test_limits_hold_for_the_whole_process(config: StreamConfig) -> None:
    """Two streams that share nothing but the address."""
    with Simulator(rate=0, limits=Limits()) as sim:
        configs = [
            dataclasses.replace(config, url=sim.url, rest_url=sim.rest_url, wire_format=wire_format)
            for wire_format in ("SIMPLE", "DEFAULT")
        ]
        codes = sim.codes[:12]
        streams = [UpbitStream(config=one) for one in configs]
        tapes = [Tape(stream, codes) for stream in streams]
        for stream in streams:
            assert stream.wait_connected(20)
        eventually(lambda: all(len(tape.trades) == len(codes) for tape in tapes))
        lose(sim, lambda: sim.burst(len(codes), codes))
        for tape in tapes:
            eventually(lambda: len(tape.trades) == 2 * len(codes))  # noqa: B023
            assert tape.complete(sim)
        assert {call.status for call in sim.rest_calls} == {200}
        assert len(sim.rest_calls) == 2 * len(codes)
        closed = [stream.close() for stream in streams]
        assert all(closed)


def test_what_happened_to_orders_meanwhile_is_told_as_missing(
    config: StreamConfig, sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    with UpbitStream(config=config, access_key=ACCESS_KEY, secret_key=SECRET_KEY) as stream:
        gaps: list[Gap] = []
        stream.on_gap(gaps.append)
        stream.my_order(callback=lambda order: None)
        assert sim.wait_for_subscription("myOrder", timeout=20)
        lose(sim, lambda: None)
        eventually(lambda: gaps)
        (gap,) = gaps
        assert (gap.type, gap.codes, gap.recovered) == ("myOrder", (), False)
        assert "ask REST for your orders" in gap.why
        assert gap.from_timestamp <= gap.to_timestamp
    assert [one for one in caplog.records if one.getMessage() == str(gap)]


def test_where_rest_is_not_to_be_had_live_trades_do_not_wait_for_long(
    config: StreamConfig, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("upbit_stream.recovery.rest._RETRY", ReconnectPolicy(base=0.02, cap=0.2))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nowhere = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    with UpbitStream(config=dataclasses.replace(config, rest_url=nowhere)) as stream:
        tape = Tape(stream)
        eventually(lambda: len(tape.trades) == len(CODES))
        lose(sim, lambda: sim.trade("KRW-BTC"))
        eventually(lambda: len(sim.requests) == 2)
        eventually(lambda: tape.gaps, 40)
        assert not tape.gaps[0].recovered
        assert "refused" in tape.gaps[0].why
        tape.wait_for("KRW-BTC", sim.trade("KRW-BTC"))


def test_what_waits_is_bounded(
    config: StreamConfig, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("upbit_stream.connection.pool._WAITING", 1_000)
    with UpbitStream(config=config) as stream:
        tape = Tape(stream)
        eventually(lambda: len(tape.trades) == len(CODES))
        sim.stall_rest(None)
        lose(sim, lambda: sim.burst(2, ["KRW-BTC", "KRW-ETH"]))
        eventually(lambda: stream.stats.messages >= 6)  # the snapshots have come, too
        sim.burst(2_000, ["KRW-ETH"])
        newest = sim.trade("KRW-ETH")
        tape.wait_for("KRW-ETH", newest)
        eventually(lambda: tape.gaps)
        assert tape.gaps[0].codes == ("KRW-ETH",)  # the one with the most waiting; the others go on
        assert "more than 1,000 live events" in tape.gaps[0].why
        ids = tape.ids("KRW-ETH")
        assert ids[-2_001:] == sim.ledger("KRW-ETH")[-2_001:]
        sim.stall_rest(0)
