"""What is known of a code: each trade once, in order, from whatever comes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from upbit_stream import Trade
from upbit_stream.recovery.gaps import Gap, GapTally, narrow
from upbit_stream.recovery.recovery import Recovery, RecoverySettings
from upbit_stream.recovery.tapes import REMEMBERED, TradeTape

BASE = 17_877_285_547_970_000


def trade(number: int, stream_type: str = "REALTIME") -> Trade:
    """The trades are 10 ms apart."""
    id_ = BASE + number * 100_000
    return Trade(
        type="trade",
        code="KRW-BTC",
        trade_timestamp=id_ // 10_000,
        sequential_id=id_,
        stream_type=stream_type,  # type: ignore[arg-type]
    )


@given(st.lists(st.integers(0, 40), max_size=100))
def test_each_id_is_delivered_once_in_the_order_in_which_it_came(numbers: list[int]) -> None:
    tape = TradeTape("trade", "KRW-BTC")
    delivered: list[Trade] = []
    sink = tape.live_sink(delivered.append)
    for number in numbers:
        sink(trade(number))
    assert delivered == [trade(number) for number in dict.fromkeys(numbers)]
    assert tape.duplicates == len(numbers) - len(delivered)
    newest, late = -1, 0
    for one in dict.fromkeys(numbers):
        late += one < newest
        newest = max(one, newest)
    assert tape.late == late


@given(st.lists(st.integers(0, 400), min_size=1, max_size=1000))
def test_of_two_lines_none_brings_what_was_before_the_beginning(numbers: list[int]) -> None:
    tape = TradeTape("trade", "KRW-BTC", lines=2)
    delivered: list[Trade] = []
    for number in numbers:
        tape.live_sink(delivered.append)(trade(number))
    due = [number for number in numbers if number >= numbers[0]]
    assert set(map(id_of, delivered)) == {id_of(trade(number)) for number in due}
    tape.held += [trade(numbers[0] - 1), trade(401)]
    assert tape.merge([], True) == [trade(401)]


def id_of(one: Trade) -> int:
    return one.sequential_id


def test_a_new_sink_remembers_what_the_one_before_it_delivered() -> None:
    tape = TradeTape("trade", "KRW-BTC")
    delivered: list[Trade] = []
    for number in (1, 2, 2, 1, 3):
        tape.live_sink(delivered.append)(trade(number))
    assert delivered == [trade(1), trade(2), trade(3)]


def test_what_is_remembered_is_bounded() -> None:
    tape = TradeTape("trade", "KRW-BTC")
    delivered: list[Trade] = []
    sink = tape.live_sink(delivered.append)
    for number in range(10 * REMEMBERED):
        sink(trade(number))
        tape.tidy()
        assert min(number + 1, REMEMBERED) <= len(tape.recent) <= 2 * REMEMBERED


def test_a_recovery_tidies_its_tapes_once_a_second() -> None:
    settings = RecoverySettings(
        backfill=True, deadline=1.0, at_most=10, numbers="float", rest_url="http://127.0.0.1:9/v1"
    )
    recovery = Recovery("public", settings, tell=lambda gap: None, when_done=lambda: None)
    tape_sink = recovery.sink("trade", "KRW-BTC", lambda event: None)
    for number in range(10 * REMEMBERED):
        tape_sink(trade(number))
    recovery.look(0.0)
    # Forgotten, so it is not known to be a duplicate.
    assert recovery.knows(trade(0))  # older than all that is remembered
    before = recovery.counters.duplicates
    tape_sink(trade(10 * REMEMBERED - 1))
    tape_sink(trade(0))
    recovery.retain(())
    recovery.end("the test ends")
    assert recovery.counters.duplicates - before == 1
    assert recovery.counters.late == 1


def test_an_old_frame_without_an_id_is_delivered() -> None:
    tape = TradeTape("trade", "KRW-BTC")
    delivered: list[Trade] = []
    sink = tape.live_sink(delivered.append)
    old = Trade(type="trade", code="KRW-BTC")
    for one in (trade(1), old, old):
        sink(one)
    assert delivered == [trade(1), old, old]


def test_what_is_no_id_is_delivered_all_the_same() -> None:
    tape = TradeTape("trade", "KRW-BTC")
    delivered: list[Trade] = []
    sink = tape.live_sink(delivered.append)
    nonsense = Trade(type="trade", code="KRW-BTC", sequential_id=1 << 64)
    for one in (trade(1), nonsense, trade(2), trade(2)):
        sink(one)
    assert delivered == [trade(1), nonsense, trade(2)]
    tape.begin(nonsense, delivered=True)
    tape.held.append(nonsense)
    assert tape.merge([], True) == [nonsense]
    assert list(tape.recent) == [trade(1).sequential_id, trade(2).sequential_id]


@given(st.data())
def test_what_was_found_and_what_waited_make_one_stream(data: st.DataObject) -> None:
    """Whatever REST and the socket bring, with what overlap and in what order: everything behind
    what was delivered comes once, in order, and live events are preferred.
    """
    end = data.draw(st.integers(2, 60))
    known = data.draw(st.integers(1, end - 1))
    live_from = data.draw(st.integers(known, end))
    tape = TradeTape("trade", "KRW-BTC")
    delivered: list[Trade] = []
    sink = tape.live_sink(delivered.append)
    for number in range(known):
        sink(trade(number))
    tape.lose(None)
    live = list(range(live_from, end))
    tape.held += [trade(number) for number in data.draw(st.permutations(live))]
    tape.held += (
        [trade(number) for number in data.draw(st.lists(st.sampled_from(live)))] if live else []
    )
    overlap = data.draw(st.integers(0, known))
    until = data.draw(st.integers(live_from, end))
    found = [trade(number, "BACKFILL") for number in range(known - overlap, until)]
    merged = tape.merge(found, True)
    assert [one.sequential_id for one in merged] == [
        trade(number).sequential_id for number in range(known, max(until, end if live else until))
    ]
    held = {one.sequential_id for one in tape.held}
    for one in merged:
        assert (one.stream_type == "REALTIME") == (one.sequential_id in held)
    # From now on, none of them again.
    again: list[Trade] = []
    sink = tape.live_sink(again.append)
    for one in merged[-REMEMBERED:]:
        sink(one)
    assert again == []


def test_a_stretch_begins_a_little_before_what_was_delivered_last() -> None:
    tape = TradeTape("trade", "KRW-BTC")
    sink = tape.live_sink(lambda one: None)
    for number in (0, 1000, 1001):  # ten seconds in between
        sink(trade(number))
    stretch = tape.stretch(trade(2000))
    newest = trade(1001).sequential_id
    assert stretch.after == newest - 2_000 * 10_000
    assert (stretch.witness, stretch.until) == (
        trade(2000).sequential_id,
        trade(2000).trade_timestamp,
    )
    assert tape.rate > 0


def test_gaps_are_told_together() -> None:
    tally = GapTally()
    tally.add("trade", "KRW-BTC", 100, 200, count=3)
    tally.add("trade", "KRW-ETH", 50, 150, count=4)
    tally.add("trade", "KRW-ETH", 160, 170, count=1)
    tally.add("trade", "KRW-XRP", 10, 20, count=0, why="no time left")
    tally.add("myAsset", "", 1, 2, count=0, why="cannot")
    recovered, lost, asset = tally.collect()
    assert (recovered.recovered, recovered.codes, recovered.count) == (
        True,
        ("KRW-BTC", "KRW-ETH"),
        8,
    )
    assert (recovered.from_timestamp, recovered.to_timestamp) == (50, 200)
    assert recovered.ranges == {"KRW-BTC": (100, 200), "KRW-ETH": (50, 170)}
    assert (lost.recovered, lost.codes, lost.why) == (False, ("KRW-XRP",), "no time left")
    assert (asset.codes, asset.recovered) == ((), False)
    assert tally.collect() == []
    narrowed = narrow(recovered, {"KRW-ETH"})
    assert isinstance(narrowed, Gap)
    assert (narrowed.codes, narrowed.count) == (("KRW-ETH",), 5)
    assert narrow(recovered, {"KRW-SOL"}) is None
    assert narrow(asset, set()) == asset
    assert "8 events" in str(recovered)
    assert "no time left" in str(lost)
