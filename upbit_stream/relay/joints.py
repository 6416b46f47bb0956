"""Whether the trades that come follow what the broker has; what lies between is fetched over REST.

So it is when a relay begins (the broker may have trades of a relay before it, or of another one at
this moment), and when its buffer was full. A lane whose trades follow is *joined*, and stays so. Of
any other the trades wait: the broker is asked for its newest one, and if that is before the first
one that waits, REST is asked for those between. Each relay makes sure of that for itself; so
whenever one of them adds a trade, the broker has all before it, whoever of them lives or dies.

A lane that is empty at the broker is begun by one relay, which the broker chooses: it takes a
lane's first trade only while there is none. To all others the lane is not empty then.

Belongs to the relay's thread.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from upbit_stream.events import Trade
from upbit_stream.recovery.gaps import Gap, GapTally
from upbit_stream.recovery.history import IDS_PER_MS, Found, TradeStretch
from upbit_stream.recovery.repairs import Repair, Repairs
from upbit_stream.recovery.tapes import trade_order
from upbit_stream.relay.lanes import Lane

__all__ = ["Joints"]

# Milliseconds: trades that were made so shortly before the newest one may have come after it.
_UNDER_WAY = 2_000

# Seconds for which the first trade after a hole is waited for: in a quiet market it takes long.
_PATIENCE = 2.0

# Seconds beyond the deadline of a repair that the relay waits for its word.
_GRACE = 1.0


class _Joint:
    """One lane of trades."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.joined = False
        #: The largest id that was let through.
        self.passed = 0
        self.held: list[Any] = []
        #: The largest id of what was dropped in the newest hole.
        self.beyond = 0
        #: Up to which trade something may be missing: the first one after the newest hole.
        self.reach: Trade | None = None
        #: Moment (of ``time.monotonic()``) from which on that one is not waited for.
        self.patience = float("inf")
        #: The id before which nothing is missing, while it is being fetched what follows.
        self.after = 0
        self.repair: Repair | None = None


class Joints:
    """Those of one relay. ``repairs``: None if nothing is to be fetched. ``deadline``: seconds for
    which a lane waits. ``at_most``: trades that wait, over all lanes.
    """

    def __init__(self, repairs: Repairs | None, deadline: float, at_most: int) -> None:
        self._repairs = repairs
        self._deadline = deadline
        self._at_most = at_most
        self._joints: dict[Lane, _Joint] = {}
        self._waiting: set[Lane] = set()
        self._tally = GapTally()
        #: Trades that were fetched, and trades that wait. Anyone may read them.
        self.backfilled = 0
        self.waiting = 0

    def sift(self, events: Iterable[Any], holed: Mapping[Lane, int]) -> list[Any]:
        """Those that need not wait, in their order. In the ``holed`` lanes something is missing
        right after the trades up to that id.
        """
        for lane, beyond in holed.items():
            if lane.type == "trade":
                self._doubt(self._joint(lane), beyond)
        passed = []
        for event in events:
            if event.type == "trade":
                joint = self._joint(Lane(event.type, event.code))
                if not joint.joined:
                    joint.held.append(event)
                    self.waiting += 1
                    id_ = event.sequential_id or 0
                    if joint.reach is None and (not id_ or id_ > joint.beyond):
                        joint.reach = event
                    self._waiting.add(joint.lane)
                    continue
                joint.passed = max(joint.passed, event.sequential_id or 0)
            passed.append(event)
        return passed

    def _joint(self, lane: Lane) -> _Joint:
        joint = self._joints.get(lane)
        if joint is None:
            joint = self._joints[lane] = _Joint(lane)
        return joint

    def _doubt(self, joint: _Joint, beyond: int) -> None:
        joint.joined, joint.reach, joint.beyond = False, None, max(joint.beyond, beyond)
        joint.patience = time.monotonic() + _PATIENCE
        self._waiting.add(joint.lane)
        if joint.repair is not None:
            # What is being fetched is not all: what waited becomes a part of what is missing.
            joint.repair.dropped = True
            joint.repair = None

    @property
    def asking(self) -> list[Lane]:
        """The lanes of which it must be known what the broker has."""
        now = time.monotonic()
        waiting = (self._joints[lane] for lane in self._waiting)
        return [
            joint.lane
            for joint in waiting
            if joint.repair is None and (joint.reach is not None or now > joint.patience)
        ]

    def beginnings(self, lanes: Iterable[Lane], newest: Mapping[Lane, int]) -> list[Any]:
        """Of ``lanes``, which were :attr:`asking`, the first trades of those that the broker has
        nothing of. Some other relay may begin them at this very moment.
        """
        joints = (self._joints[lane] for lane in lanes if lane not in newest)
        firsts = (
            next((one for one in joint.held if one.sequential_id), None)
            for joint in joints
            if not joint.passed
        )
        return [one for one in firsts if one is not None]

    def begun(self, trades: Iterable[Any]) -> None:
        """These, of :meth:`beginnings`, are the first ones of their lanes."""
        for trade in trades:
            joint = self._joints[Lane(trade.type, trade.code)]
            joint.passed = trade.sequential_id or 0
            joint.held.remove(trade)
            self.waiting -= 1

    def answer(self, lanes: Iterable[Lane], newest: Mapping[Lane, int]) -> list[Any]:
        """The ``newest`` ids that the broker has of ``lanes``, which were :attr:`asking`; the
        trades that need not wait any more.
        """
        released: list[Any] = []
        for lane in lanes:
            joint = self._joints[lane]
            joint.after = max(newest.get(lane, 0), joint.passed)
            id_ = 0 if joint.reach is None else joint.reach.sequential_id or 0
            if joint.after == 0 and not joint.held:
                # Nothing of it was ever there: it begins with what comes next.
                self._waiting.discard(lane)
            elif joint.after == 0 and id_:
                continue  # somebody has begun it at this moment; what with is asked for next
            elif joint.after == 0 or 0 < id_ <= joint.after:
                released += self._join(joint, ())
            elif self._repairs is None:
                released += self._finish(joint, Found(why="backfill is off"))
            else:
                stretch = TradeStretch(
                    code=lane.code,
                    after=max(0, joint.after - _UNDER_WAY * IDS_PER_MS),
                    witness=id_,
                    until=0 if joint.reach is None else joint.reach.trade_timestamp or 0,
                    rate=len(joint.held),
                )
                deadline = time.monotonic() + self._deadline
                joint.repair = Repair(stretch=stretch, deadline=deadline)
                self._repairs.submit(joint.repair)
        return released

    def collect(self) -> list[Any]:
        """The trades that need not wait any more, because what was before them is there, or will
        not be.
        """
        if not self._waiting or self._repairs is None:
            return []
        released: list[Any] = []
        done = {id(repair): repair.found for repair in self._repairs.collect()}
        now = time.monotonic()
        for lane in list(self._waiting):
            joint = self._joints[lane]
            if joint.repair is None:
                continue
            if (found := done.get(id(joint.repair))) is not None:
                released += self._finish(joint, found)
            elif now > joint.repair.deadline + _GRACE:
                released += self._finish(joint, Found(why=f"it took over {self._deadline:g} s"))
            elif self.waiting > self._at_most:
                why = f"more than {self._at_most:,} trades waited for it"
                released += self._finish(joint, Found(why=why))
        return released

    def give_up(self, why: str) -> list[Any]:
        """Wait for nothing any more: the trades that waited."""
        released: list[Any] = []
        for lane in list(self._waiting):
            released += self._finish(self._joints[lane], Found(why=why))
        return released

    def _finish(self, joint: _Joint, found: Found) -> list[Any]:
        held = {one.sequential_id for one in joint.held}
        fetched = sum(
            (one.sequential_id or 0) > joint.after and one.sequential_id not in held
            for one in found.events
        )
        begin = (joint.after or joint.passed) // IDS_PER_MS
        if not begin:  # it was never asked what is there
            begin = next((one.trade_timestamp or 0 for one in joint.held), 0)
        merged = self._join(joint, found.events)
        self.backfilled += fetched
        # What was found reaches back from the live ones without a hole.
        until = found.events[:1] if found.why else merged[-1:]
        end = next((one.trade_timestamp for one in until), time.time_ns() // 1_000_000)
        if found.why or fetched:
            self._tally.add("trade", joint.lane.code, begin, end, count=fetched, why=found.why)
        return merged

    def _join(self, joint: _Joint, found: Sequence[Any]) -> list[Any]:
        if joint.repair is not None:
            joint.repair.dropped = True
        merged = joint.held
        self.waiting -= len(merged)
        if found:
            trades = {one.sequential_id: one for one in found}
            trades.update((one.sequential_id, one) for one in joint.held)
            merged = sorted(trades.values(), key=trade_order)
        joint.passed = max((joint.passed, *(one.sequential_id or 0 for one in merged)))
        joint.joined, joint.repair, joint.held, joint.beyond = True, None, [], 0
        self._waiting.discard(joint.lane)
        return merged

    @property
    def passed(self) -> dict[Lane, int]:
        """The largest ids that were let through, of each lane that is joined."""
        joints = self._joints.items()
        return {lane: one.passed for lane, one in joints if one.joined and one.passed}

    @property
    def whole(self) -> bool:
        """Whether no trade waits, and none is known to be missing."""
        return not self._waiting

    def gaps(self) -> list[Gap]:
        """What was missing since the last call, fetched or not."""
        return self._tally.collect()
