"""A consumer in a process of its own: ``python -m tests.relay.reading SOURCE TYPE CODE…``.

Prints a line for each event, ``CODE ID TIMESTAMP``, and one for each gap, ``gap TYPE RECOVERED``.
Ends when its standard input does.
"""

from __future__ import annotations

import sys

from upbit_stream import Event, Gap, UpbitStream


def main(source: str, type_: str, *codes: str) -> None:
    def show(event: Event) -> None:
        print(event.code, getattr(event, "sequential_id", 0), event.timestamp, flush=True)

    def show_gap(gap: Gap) -> None:
        print("gap", gap.type, gap.recovered, flush=True)

    with UpbitStream(source=source) as stream:
        stream.on_gap(show_gap)
        getattr(stream, type_)(codes, callback=show)
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
