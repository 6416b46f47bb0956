"""The public face is what it was, unless a change of it was meant."""

from __future__ import annotations

import upbit_stream
from tests.surface import FILE, describe_all


def test_the_public_face_is_frozen() -> None:
    """Was it meant? Then ``python -m tests.surface``, and a line in the CHANGELOG."""
    assert describe_all().splitlines() == FILE.read_text("utf-8").splitlines()


def test_names_are_in_order_and_each_is_there() -> None:
    assert upbit_stream.__all__ == sorted(upbit_stream.__all__)
    assert set(upbit_stream.__all__) <= set(dir(upbit_stream))
    for name in upbit_stream.__all__:
        assert getattr(upbit_stream, name) is not None
