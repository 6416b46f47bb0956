"""How a command ends that cannot do what it was asked for: one sentence and an exit code."""

from __future__ import annotations

__all__ = ["CommandFailed", "RunFailed", "WrongUsage"]


class CommandFailed(Exception):
    """The sentence for stderr. Raised by the commands, printed by ``main`` alone."""

    exit_code: int


class RunFailed(CommandFailed):
    """The command was understood but cannot go on."""

    exit_code = 1


class WrongUsage(CommandFailed):
    """The command cannot be meant like that."""

    exit_code = 2
