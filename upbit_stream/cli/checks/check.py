"""A finding."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Check", "Status"]

#: ``note``: for information; ``warn``: it may hurt one day; ``fail``: it does not work like that.
Status = Literal["ok", "note", "warn", "fail"]


class Check(msgspec.Struct, frozen=True):
    """One finding."""

    group: Literal["software", "machine", "settings", "terminal", "network"]
    #: What was looked at: a key of the texts, or a name that is the same everywhere.
    name: str
    status: Status
    #: What was found, for people.
    told: str
    #: What to do about it.
    advice: str | None = None

    @property
    def id(self) -> str:
        """The same in every language."""
        return f"{self.group}.{self.name}"
