"""Groups on NATS: who has which lane, and how far it has come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from upbit_stream.relay.brokers import BrokerUnavailable
from upbit_stream.relay.lanes import Lane, selection_of
from upbit_stream.relay.nats_common import NatsLink, entries_of

__all__ = ["NatsGroups"]

# Seconds for which a member of a group has its lanes without a word.
_LEASE = 3.0

# Looks at a group that others change at the same moment.
_TRIES = 10


class _Group(msgspec.Struct):
    """What is known of a group, by the names of lanes."""

    owners: dict[str, str] = msgspec.field(default_factory=dict)
    positions: dict[str, str] = msgspec.field(default_factory=dict)


class NatsGroups:
    """Shares lanes among the members of groups; for one thread."""

    def __init__(self, link: NatsLink) -> None:
        self._link = link

    def share(
        self, group: str, member: str, lanes: Sequence[Lane]
    ) -> tuple[Mapping[Lane, str | None], Sequence[Lane]]:
        """See :meth:`~upbit_stream.relay.brokers.Source.share`."""
        self._link.check()
        return self._link.call(self._share(group, member, lanes))

    async def _share(
        self, group: str, member: str, lanes: Sequence[Lane]
    ) -> tuple[Mapping[Lane, str | None], Sequence[Lane]]:
        members = await self._link.bucket("upbit-members", _LEASE)
        names = {str(lane): lane for lane in lanes}
        selection = selection_of(names).encode()
        await members.put(f"{group}={member}", selection)
        told = await entries_of(members)
        those = {key.partition("=")[2]: its for key, its in told.items() if _is_of(group, key)}
        living = {**those, member: selection}
        living.update(await self._overlooked(group, members, living))
        # Others may never take what this one leaves.
        due = -(-len(names) // sum(its == selection for its in living.values()))

        def take(state: _Group) -> tuple[list[str], list[str]]:
            mine = [name for name in names if state.owners.get(name) == member]
            free = [name for name in names if state.owners.get(name) not in living]
            mine += free[: max(0, due - len(mine))]
            state.owners.update(dict.fromkeys(mine, member))
            return mine, mine[due:]

        state, (mine, surplus) = await self._change(group, take)
        held = {names[name]: state.positions.get(name) for name in mine}
        return held, [names[name] for name in surplus]

    async def _overlooked(
        self, group: str, members: Any, living: Mapping[str, bytes]
    ) -> dict[str, bytes]:
        """Owners of lanes who live though the look at all members has missed them: it does miss
        one who speaks at this very moment.
        """
        from nats.js.errors import KeyNotFoundError

        state, _ = await self._change(group, lambda _: None)
        found = {}
        for owner in set(state.owners.values()) - living.keys():
            with suppress(KeyNotFoundError):
                found[owner] = bytes((await members.get(f"{group}={owner}")).value or b"")
        return found

    def commit(
        self, group: str, member: str, positions: Mapping[Lane, str], leaving: Sequence[Lane]
    ) -> None:
        """See :meth:`~upbit_stream.relay.brokers.Source.commit`."""
        self._link.check()

        def note(state: _Group) -> None:
            for lane, position in positions.items():
                if state.owners.get(str(lane)) == member:
                    state.positions[str(lane)] = position
            for lane in leaving:
                if state.owners.get(str(lane)) == member:
                    del state.owners[str(lane)]

        self._link.call(self._change(group, note))

    async def _change(self, group: str, change: Callable[[_Group], Any]) -> tuple[_Group, Any]:
        """Change what is known of a group, unless another member does so at the same moment: then
        look again.
        """
        from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError

        bucket = await self._link.bucket("upbit-groups")
        for _ in range(_TRIES):
            try:
                entry = await bucket.get(group)
                before, revision = bytes(entry.value or b"{}"), entry.revision
            except KeyNotFoundError:
                before, revision = b"", 0
            state = msgspec.json.decode(before or b"{}", type=_Group)
            result = change(state)
            after = msgspec.json.encode(state)
            if after == before:
                return state, result
            try:
                await bucket.update(group, after, last=revision)
            except KeyWrongLastSequenceError:
                continue
            return state, result
        raise BrokerUnavailable(f"the group {group} is changed by too many at once")


def _is_of(group: str, key: str) -> bool:
    return key.partition("=")[0] == group
