"""The four ways in which the exchange writes its frames."""

from __future__ import annotations

from enum import Enum

__all__ = ["WireFormat"]


class WireFormat(str, Enum):
    """How the exchange writes its frames. The events are the same in all four."""

    DEFAULT = "DEFAULT"
    #: Short keys: about half the bytes.
    SIMPLE = "SIMPLE"
    JSON_LIST = "JSON_LIST"
    SIMPLE_LIST = "SIMPLE_LIST"

    @property
    def short_keys(self) -> bool:
        """Whether the keys are the short ones (``tp`` for ``trade_price``)."""
        return self in (WireFormat.SIMPLE, WireFormat.SIMPLE_LIST)

    @property
    def is_list(self) -> bool:
        """Whether each frame is a JSON array of messages."""
        return self in (WireFormat.JSON_LIST, WireFormat.SIMPLE_LIST)
