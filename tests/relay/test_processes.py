"""One feed, many processes: whoever is killed, consumers miss nothing and see nothing twice."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence

import pytest

from tests.chaos.oracle import judge
from tests.conftest import eventually
from tests.process import SimulatorProcess
from tests.relay.processes import Publisher, Reader
from tests.relay.servers import Broker

CODES = ("KRW-BTC", "KRW-ETH", "KRW-XRP")


@pytest.fixture
def market() -> Iterator[SimulatorProcess]:
    """500 trades a second, over three codes."""
    arguments = ("--rate", "500", "--codes", ",".join(CODES), "--ledger-size", "1000000")
    with SimulatorProcess(*arguments) as simulator:
        yield simulator


def stop(market: SimulatorProcess) -> dict[str, list[int]]:
    """Let it stand still; the ids of all trades."""
    market.do("rate", value=0)
    return {code: market.do("ledger", code=code) for code in CODES}


def check_whole(reader: Reader, ledger: dict[str, list[int]], codes: Sequence[str]) -> int:
    """Wait until the last trade of each has come; then each must have come once and in order. How
    many these are.
    """
    trades = 0
    for code in codes:
        eventually(lambda: ledger[code][-1] in reader.ids(code)[-200:])  # noqa: B023
        verdict = judge(ledger[code], reader.ids(code), ledger[code][-1], ())
        assert (len(verdict.lost), verdict.doubled, verdict.out_of_order) == (0, 0, []), code
        trades += verdict.trades
    return trades


def test_three_processes_each_with_its_own_selection(
    market: SimulatorProcess, broker: Broker
) -> None:
    selections = (CODES, ("KRW-BTC",), ("KRW-ETH", "KRW-XRP"))
    with (
        Publisher(market.url, broker.url, *CODES) as publisher,
        Reader(broker.url, *selections[0]) as one,
        Reader(broker.url, *selections[1]) as two,
        Reader(broker.url, *selections[2]) as three,
    ):
        readers = (one, two, three)
        for reader in readers:
            eventually(lambda: len(reader.lines) > 300)  # noqa: B023
        ledger = stop(market)
        for reader, codes in zip(readers, selections, strict=True):
            assert check_whole(reader, ledger, codes) > 300
            assert reader.gaps == []
            reader.close()
        publisher.close()


@pytest.mark.parametrize(
    "kills", [2, pytest.param(10, marks=[pytest.mark.soak, pytest.mark.timeout(300)])]
)
def test_two_publishers_are_killed_at_random(
    market: SimulatorProcess, broker: Broker, kills: int
) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)

    def begin() -> Publisher:
        return Publisher(market.url, broker.url, *CODES)

    publishers = [begin(), begin()]
    try:
        with Reader(broker.url, *CODES) as reader:
            eventually(lambda: len(reader.lines) > 100)
            victims = [0] * kills + [1] * kills
            chance.shuffle(victims)
            for victim in victims:
                # Sometimes while the other one is only about to begin.
                time.sleep(chance.uniform(0.1, 2.0))
                publishers[victim].kill()
                time.sleep(chance.choice((0.0, 0.3)))
                publishers[victim] = begin()
            eventually(lambda: len(reader.lines) > 600 * kills)
            ledger = stop(market)
            trades = check_whole(reader, ledger, CODES)
            print(f"{trades} trades, {2 * kills} kills")
            assert trades > 500 * kills
            assert reader.gaps == []
            reader.close()
    finally:
        for publisher in publishers:
            publisher.kill()


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seconds", [20.0])
@pytest.mark.parametrize("how", ["cut off", "restarted empty"])
def test_the_broker_is_away_for_a_while(
    market: SimulatorProcess, broker: Broker, seconds: float, how: str
) -> None:
    with (
        Publisher(market.url, broker.url, *CODES, books=True) as publisher,
        Reader(broker.url, *CODES) as reader,
        Reader(broker.url, "KRW-BTC", type_="orderbook") as books,
    ):
        eventually(lambda: len(reader.lines) > 200 and len(books.lines) > 5)
        if how == "cut off":
            broker.pause()
            time.sleep(seconds)
            broker.resume()
        else:
            broker.kill()
            time.sleep(seconds)
            broker.start()
        before = len(books.lines)
        eventually(lambda: len(books.lines) > before + 5)
        ledger = stop(market)
        assert check_whole(reader, ledger, CODES) > 500 * seconds
        assert reader.gaps == books.gaps == []
        stamps = [int(line.split()[2]) for line in books.lines.copy()]
        assert stamps == sorted(stamps)
        reader.close()
        books.close()
        publisher.close()


@pytest.mark.alone
def test_the_codes_of_a_member_that_dies_go_on_with_the_others(
    market: SimulatorProcess, broker: Broker
) -> None:
    source = f"{broker.url}?name=desk"
    with Publisher(market.url, broker.url, *CODES) as publisher:
        members = [Reader(source, *CODES) for _ in range(3)]
        try:
            # Each has a code of its own, at last.
            def shared() -> bool:
                now = [len(member.lines) for member in members]
                time.sleep(0.5)
                return all(len(member.lines) > n for member, n in zip(members, now, strict=True))

            eventually(shared)
            time.sleep(1.5)  # what they had at first is with the others for good
            victim = members.pop()
            victim.kill()
            killed_at = time.monotonic()
            code = victim.lines[-1].split()[0]
            dead = victim.ids(code)
            eventually(lambda: any(one.ids(code)[-1:] > dead[-1:] for one in members))
            assert time.monotonic() - killed_at < 5.0
            ledger = stop(market)
            for one in CODES:
                eventually(lambda: any(ledger[one][-1] in m.ids(one) for m in members))  # noqa: B023
            for one in CODES:
                told = [member.ids(one) for member in (*members, victim)]
                every = {id_ for ids in told for id_ in ids}
                due = [id_ for id_ in ledger[one] if id_ >= min(every)]
                assert [id_ for id_ in due if id_ not in every] == []
                for ids in told:
                    assert ids == sorted(ids)
            # What was delivered and not noted yet came again, and no more than that.
            again = [id_ for m in members for id_ in m.ids(code) if id_ in dead]
            print(f"{len(again)} of {len(dead)} came again")
            assert len(again) < len(dead)
            for member in members:
                member.close()
        finally:
            for member in members:
                if member.process.poll() is None:
                    member.kill()
        publisher.close()
