"""FrameReader without a socket: any messages, cut anywhere, arrive as they were sent."""

from __future__ import annotations

import itertools
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transport.peer import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_frame, frame
from upbit_stream.transport.frames import LARGEST_BUFFER, Ending, FrameReader

MAX = 200_000


def feed(reader: FrameReader, data: bytes, sizes: list[int] | None = None) -> list[bytes]:
    """Put `data` in, by pieces of `sizes` (again and again); without, as much as has room."""
    messages: list[bytes] = []
    left = memoryview(data)
    for piece in itertools.cycle(sizes or [len(data)]):
        if not left or reader.ending is not None:
            break
        room = reader.room()
        assert len(room) > 0
        size = min(len(room), len(left), piece)
        room[:size] = left[:size]
        left = left[size:]
        messages += map(bytes, reader.messages(size))
    return messages


controls = st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=125))
texts = st.text(max_size=300).map(lambda text: (TEXT, text.encode()))
binaries = st.tuples(
    st.just(BINARY),
    st.one_of(
        st.binary(max_size=300),
        st.sampled_from([125, 126, 127, 65535, 65536, 70_000]).map(bytes),
    ),
)
chunk_sizes = st.lists(st.integers(1, 400) | st.integers(1, 70_000), min_size=1, max_size=5)
buffer_sizes = st.sampled_from([16, 17, 100, 4096, 65536])


@st.composite
def wires(draw: st.DrawFn) -> tuple[bytes, list[bytes], list[tuple[int, bytes]]]:
    """A stream of bytes, with the messages and the control frames in it."""
    wire, messages, sent_controls = b"", [], []

    def maybe_controls() -> bytes:
        drawn = draw(st.lists(controls, max_size=2))
        sent_controls.extend(drawn)
        return b"".join(frame(opcode, payload) for opcode, payload in drawn)

    for opcode, payload in draw(st.lists(texts | binaries, max_size=6)):
        messages.append(payload)
        cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=3)))
        edges = [0, *cuts, len(payload)]
        for i, (begin, end) in enumerate(itertools.pairwise(edges)):
            wire += maybe_controls()
            part = payload[begin:end]
            # A length may be written wider than it need be; receivers take it.
            narrowest = 7 if len(part) < 126 else 16 if len(part) < 1 << 16 else 64
            width = draw(st.sampled_from([w for w in (7, 16, 64) if w >= narrowest]))
            last = i == len(edges) - 2
            wire += frame(CONTINUATION if i else opcode, part, fin=last, width=width)
    wire += maybe_controls()
    return wire, messages, sent_controls


@settings(deadline=None)
@given(wires(), chunk_sizes, buffer_sizes)
def test_any_messages_in_any_pieces_arrive_equal(
    sent: tuple[bytes, list[bytes], list[tuple[int, bytes]]], sizes: list[int], buffer_size: int
) -> None:
    wire, messages, sent_controls = sent
    reader = FrameReader(MAX, buffer_size)
    coarser = 1 + len(wire) // 4000  # a long wire byte by byte would only take long
    assert feed(reader, wire, [size * coarser for size in sizes]) == messages
    assert reader.controls == sent_controls
    assert reader.ending is None


@given(
    st.lists(
        st.binary(max_size=40)
        | st.tuples(st.integers(0, 255), st.binary(max_size=126)).map(lambda f: frame(*f, width=7)),
        max_size=8,
    ).map(b"".join),
    chunk_sizes,
)
def test_what_comes_out_does_not_depend_on_the_pieces(wire: bytes, sizes: list[int]) -> None:
    """Violations and close frames too: garbage ends alike, however it is cut."""
    outcomes = []
    for cut in (None, [1], sizes):
        reader = FrameReader(1000)
        outcomes.append((feed(reader, wire, cut), reader.controls, reader.ending))
    assert outcomes[0] == outcomes[1] == outcomes[2]


def test_every_split_point() -> None:
    parts = [
        frame(BINARY, b"b" * 921),
        frame(TEXT, "값".encode()),
        frame(PING, b"p"),
        frame(TEXT, b"x\xea", fin=False),
        frame(PONG),
        frame(CONTINUATION, b"", fin=False),
        frame(CONTINUATION, b"\xb0\x92"),
        frame(BINARY),
        frame(BINARY, b"w", width=64),
        close_frame(1001, "안녕".encode()),
    ]
    wire = b"".join(parts)
    expected = [b"b" * 921, "값".encode(), b"x\xea\xb0\x92", b"", b"w"]
    for split in range(1, len(wire)):
        reader = FrameReader(MAX, 64)
        assert feed(reader, wire, [split, len(wire) - split]) == expected, split
        assert reader.controls == [(PING, b"p"), (PONG, b"")]
        assert reader.ending == Ending(1001, "안녕", violation=False)


def test_messages_are_views_until_the_next_room() -> None:
    reader = FrameReader(MAX)
    first, second = frame(BINARY, b"1" * 200), frame(BINARY, b"2" * 200)
    reader.room()[: len(first)] = first
    (message,) = reader.messages(len(first))
    assert isinstance(message, memoryview)
    assert message == b"1" * 200
    reader.room()[: len(second)] = second
    reader.messages(len(second))
    assert message == b"2" * 200  # nothing was copied: this is what the docstring warns of


def test_full_reads_double_the_buffer_up_to_its_limit() -> None:
    reader = FrameReader(MAX)
    rooms = []
    for _ in range(5):
        room = reader.room()
        rooms.append(len(room))
        room[:] = frame(PONG, bytes(62)) * (len(room) // 64)
        reader.messages(len(room))
    assert rooms == [65536, 131072, 262144, LARGEST_BUFFER, LARGEST_BUFFER]


@pytest.mark.parametrize("width", [7, 16, 64])
def test_a_header_may_be_cut_by_the_end_of_the_buffer(width: int) -> None:
    wire = frame(BINARY, bytes(100), width=width)
    for before in range(64 - 10, 64):
        reader = FrameReader(MAX, 64)
        sent = frame(BINARY, bytes(before - 2)) + wire
        assert feed(reader, sent) == [bytes(before - 2), bytes(100)], before


def test_a_large_frame_gets_its_room_and_gives_it_back() -> None:
    reader = FrameReader(16 * 1024 * 1024)
    payload = os.urandom(3_000_000)
    assert feed(reader, frame(BINARY, payload) + frame(TEXT, b"after"), [100_000]) == [
        payload,
        b"after",
    ]
    assert len(reader.room()) <= LARGEST_BUFFER


HALF_OPEN = frame(TEXT, b"a", fin=False)
VIOLATIONS = {
    "rsv1": (b"\xc2\x00", 1002),
    "rsv2": (b"\xa2\x00", 1002),
    "rsv3": (b"\x92\x00", 1002),
    "reserved data opcode": (b"\x83\x00", 1002),
    "reserved control opcode": (b"\x8b\x00", 1002),
    "masked": (b"\x82\x81\x00\x00\x00\x00x", 1002),
    "masked, 16-bit length": (b"\x82\xfe\x00\x80", 1002),
    "fragmented ping": (frame(PING, fin=False), 1002),
    "fragmented close": (frame(CLOSE, fin=False), 1002),
    "ping of 126 bytes": (frame(PING, bytes(126)), 1002),
    "pong with a 64-bit length": (frame(PONG, b"", width=64), 1002),
    "close of 126 bytes": (close_frame(1000, bytes(124)), 1002),
    "continuation of nothing": (frame(CONTINUATION, b"x"), 1002),
    "last continuation twice": (HALF_OPEN + frame(CONTINUATION) + frame(CONTINUATION), 1002),
    "text inside fragments": (HALF_OPEN + frame(TEXT, b"x"), 1002),
    "binary inside fragments": (HALF_OPEN + frame(BINARY, bytes(200)), 1002),
    "first fragment inside fragments": (HALF_OPEN + frame(BINARY, b"x", fin=False), 1002),
    "half a close code": (frame(CLOSE, b"\x03"), 1002),
    **{
        f"close code {code}": (close_frame(code), 1002)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)
    },
    "63-bit length": (b"\x82\x7f\x80" + bytes(7), 1002),
    "text not UTF-8": (frame(TEXT, b"\xff"), 1007),
    "long text not UTF-8": (frame(TEXT, b"x" * 300 + b"\xed\xa0\x80"), 1007),
    "huge text not UTF-8": (frame(TEXT, b"x" * 70_000 + b"\xc0\x80"), 1007),
    "fragmented text not UTF-8": (HALF_OPEN + frame(CONTINUATION, b"\xea\xb0"), 1007),
    "close reason not UTF-8": (close_frame(1000, b"\xff"), 1007),
    "too long, 7 bits": (b"\x82\x7d", 1009),  # with max_message_size 100: no payload needed
    "too long, 16 bits": (b"\x82\x7e\x00\x7e", 1009),
    "too long, 64 bits": (b"\x82\x7f" + (1 << 62).to_bytes(8, "big"), 1009),
    "too long in fragments": (frame(BINARY, bytes(60), fin=False) + b"\x80\x29", 1009),
}


def limit_for(code: int) -> int:
    return 100 if code == 1009 else MAX


@pytest.mark.parametrize(("wire", "code"), VIOLATIONS.values(), ids=VIOLATIONS)
def test_violations(wire: bytes, code: int) -> None:
    """A violation ends it with its code, after what was complete before it, and for good."""
    sent = frame(BINARY, b"good") + frame(PING, b"p") + wire + frame(BINARY, b"never seen")
    for sizes in (None, [1]):
        reader = FrameReader(limit_for(code))
        messages = feed(reader, sent, sizes)
        assert messages[0] == b"good"
        assert b"never seen" not in messages
        assert reader.controls == [(PING, b"p")]
        assert reader.ending is not None
        assert reader.ending.violation
        assert reader.ending.code == code


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 4999])
def test_valid_close_codes(code: int) -> None:
    reader = FrameReader(MAX)
    assert feed(reader, close_frame(code, b"bye") + frame(BINARY, b"never seen")) == []
    assert reader.ending == Ending(code, "bye", violation=False)


def test_a_message_of_exactly_the_limit_passes() -> None:
    wire = frame(BINARY, bytes(100)) + frame(TEXT, b"a" * 60, fin=False)
    wire += frame(CONTINUATION, b"a" * 40)
    assert feed(FrameReader(100), wire) == [bytes(100), b"a" * 100]
