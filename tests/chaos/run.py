"""One run: a simulator as a process of its own, a stream, a plan of faults, and the judgement."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from tests.chaos.culprit import Culprit
from tests.chaos.faults import REST_OUTAGE
from tests.chaos.listening import Guests, Listener, Told
from tests.chaos.oracle import Span, judge
from tests.chaos.plan import plan
from tests.chaos.report import Report
from tests.process import SimulatorProcess
from upbit_stream import Drop, Gap, Orderbook, ReconnectPolicy, StreamConfig, Ticker, UpbitStream

__all__ = ["Chaos", "Settings"]

# Seconds. Shorter than REST's outage, so that it cannot be waited out.
_DEADLINE = 6.0
# What a repair may last beyond its deadline, and its news take to arrive.
_SLACK = 5.0
# Seconds in which everything must be well again after the last fault.
_CALM = 45.0
# Seconds between two changes of subscriptions, and between two rushes.
_CHANGES = 0.7
_RUSHES = 5.0
_RUSH = 0.3
# That a slow callback takes with every hundredth trade, in a market that is not too busy for it.
_NAP = 0.2


@dataclass(frozen=True)
class Settings:
    """Of a run."""

    faults: int
    seed: int
    #: 1, or 2 for ``redundancy=2``.
    lines: int = 1
    #: Seconds between two faults, on average.
    pace: float = 0.7
    #: Trades a second, and in a rush.
    rate: float = 100.0
    rush: float = 1500.0
    progress: Callable[[str], object] = field(default=lambda line: None)


def _config(url: str, lines: int) -> StreamConfig:
    return StreamConfig(
        url=url,
        redundancy=2 if lines == 2 else 1,
        backfill_deadline=_DEADLINE,
        ping_interval=0.5,
        ping_timeout=1.0,
        connect_timeout=1.5,
        stale_after=1.0,
        reconnect=ReconnectPolicy(base=0.05, cap=0.5, min_interval=0.1),
    )


class Chaos:
    """A run. ``codes``: the first ones are the residents', who are there throughout; guests take
    those, too, and others.
    """

    RESIDENTS = 4
    CODES = 7

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._chance = random.Random(f"changes:{settings.seed}")
        # As slow as it may be without falling behind for good.
        naps = min(_NAP, 20 / settings.rate)
        self._residents = [Listener("prompt"), Listener("slow", naps)]
        self._told = Told()
        self._drops: list[Drop] = []
        self._pause = threading.Event()

    def run(self) -> Report:
        """Do it all."""
        settings = self._settings
        began = time.monotonic()
        report = Report(settings.seed, settings.lines)
        arguments = ("--codes", str(self.CODES), "--rate", str(settings.rate))
        with SimulatorProcess(*arguments, "--seed", str(settings.seed)) as sim:
            codes: list[str] = sim.do("codes")
            culprit = Culprit(sim)
            with UpbitStream(config=_config(sim.url, settings.lines)) as stream:
                stream.on_gap(self._told)
                stream.on_drop(self._drops.append)
                mine = codes[: self.RESIDENTS]
                for listener in self._residents:
                    stream.trade(mine, listener)
                # Load that is not judged.
                stream.ticker(codes, _ignore, overflow="latest")
                stream.orderbook(codes, _ignore, overflow="latest")
                guests = Guests(stream, codes, self._chance)
                if not self._all(lambda one: all(code in one.ids for code in mine)):
                    raise RuntimeError("there are no trades to begin with")
                self._live_through(culprit, guests, report)
                guests.leave()
                self._calm_down(sim, codes, mine, report)
                report.reconnects = stream.stats.reconnects
            ledgers = {code: sim.do("ledger", code=code) for code in codes}
        self._judge(report, ledgers, mine, guests, culprit)
        report.seconds = time.monotonic() - began
        return report

    # What happens.

    def _live_through(self, culprit: Culprit, guests: Guests, report: Report) -> None:
        settings = self._settings
        steps = plan(settings.faults, settings.seed, settings.pace)
        start = shown = time.monotonic()
        change_at, rush_at, calm_at = _CHANGES, _RUSHES, float("inf")
        while steps:
            now = time.monotonic() - start
            if now >= change_at:
                guests.change()
                change_at = now + self._chance.uniform(0, 2 * _CHANGES)
            if now >= rush_at:
                culprit.tell({"name": "rate", "value": settings.rush})
                rush_at, calm_at = now + _RUSHES, now + _RUSH
            if now >= calm_at:
                culprit.tell({"name": "rate", "value": settings.rate})
                calm_at = float("inf")
            if steps[0].at <= now:
                step = steps.pop(0)
                culprit.step(step)
                report.injected[step.fault] += step.begins
            if time.monotonic() - shown >= 2:
                shown = time.monotonic()
                settings.progress(
                    f"{report.injected.total():,} of {settings.faults:,} faults, {now:.0f} s, "
                    f"{self._residents[0].count:,} trades, {len(self._told.gaps):,} gaps told"
                )
            if steps:
                due = min(steps[0].at, change_at, rush_at, calm_at) - (time.monotonic() - start)
                self._pause.wait(max(0.0, due))
        culprit.tell({"name": "rate", "value": settings.rate})

    def _calm_down(
        self, sim: SimulatorProcess, codes: list[str], mine: list[str], report: Report
    ) -> None:
        for misdelivery in ("drop_trades", "duplicate_trades", "reorder_trades"):
            sim.do(misdelivery)
        # While the market moves, a mute line can be told from a quiet one.
        newest = {code: sim.do("trade", code=code) for code in mine}
        self._all(lambda one: all(one.has(code, last) for code, last in newest.items()))
        sim.do("rate", value=0)
        for _ in range(2):  # the first may be one that is held back
            newest = {code: sim.do("trade", code=code) for code in codes}
        if not self._all(lambda one: all(one.has(code, newest[code]) for code in mine)):
            report.problems.append(f"the last trades did not come within {_CALM:g} s")

    def _all(self, condition: Callable[[Listener], bool]) -> bool:
        deadline = time.monotonic() + _CALM
        while not all(map(condition, self._residents)):
            if time.monotonic() > deadline:
                return False
            self._pause.wait(0.05)
        return True

    # What is to be said about it.

    def _judge(
        self,
        report: Report,
        ledgers: dict[str, list[int]],
        mine: list[str],
        guests: Guests,
        culprit: Culprit,
    ) -> None:
        spans = self._excuses(report, culprit)
        for listener in self._residents:
            for code in mine:
                verdict = judge(
                    ledgers[code], listener.ids[code], ledgers[code][-1], spans.get(code, ())
                )
                around = partial(listener.around, code)
                report.judge(f"{listener.name} {code}", verdict, culprit.before, around)
        for listener in guests.listeners:
            for code, ids in listener.ids.items():
                verdict = judge(ledgers[code], ids, max(ids), spans.get(code, ()))
                around = partial(listener.around, code)
                report.judge(f"{listener.name} {code}", verdict, culprit.before, around)
        report.changes = guests.changes
        report.backfilled = sum(one.backfilled for one in self._residents + guests.listeners)
        report.longest_pause = self._residents[0].longest_pause
        report.problems += [f"dropped: {drop}" for drop in self._drops if drop.type == "trade"]

    def _excuses(self, report: Report, culprit: Culprit) -> dict[str, list[Span]]:
        """The gaps, by code, that REST was the cause of."""
        spans: dict[str, list[Span]] = {}
        for at, gap in self._told.gaps:
            if gap.recovered:
                report.recovered += 1
                continue
            report.unrecovered += 1
            if not _rest_failed(culprit, at):
                report.problems.append(f"not repaired, though REST worked: {_brief(gap)}")
                continue
            for code, span in gap.ranges.items():
                spans.setdefault(code, []).append(span)
        return spans


def _rest_failed(culprit: Culprit, told_at: float) -> bool:
    # A call that hangs is given up some time after REST is well again.
    earliest = told_at - _DEADLINE - _SLACK
    return any(begin <= told_at and end >= earliest for begin, end in culprit.rest_failed)


def _brief(gap: Gap) -> str:
    return f"{', '.join(gap.codes)} {gap.from_timestamp} to {gap.to_timestamp}: {gap.why}"


def _ignore(event: Ticker | Orderbook) -> None:
    pass


assert REST_OUTAGE > _DEADLINE
