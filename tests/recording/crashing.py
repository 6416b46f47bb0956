"""A process that records until it is killed: ``python -m tests.recording.crashing URL REST PATH``.

Prints how many events are on the disk, again and again.
"""

from __future__ import annotations

import sys

from upbit_stream import Recorder, StreamConfig, UpbitStream


def main(url: str, rest_url: str, path: str) -> None:
    # Small parts, so that some of the kills hit in the middle of going from one to the next.
    recorder = Recorder(path, flush_interval=0.02, rotate_bytes=8000)
    stream = UpbitStream(config=StreamConfig(url=url, rest_url=rest_url))
    stream.trade("KRW-BTC", callback=recorder, snapshot=False)
    with stream:
        while True:
            recorder.flush()
            print(recorder.stats.recorded, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
