"""Every trade into a file that survives a crash, and the file as a market for the same code.

    python examples/record_replay.py [SECONDS] [FILE]

The end of the file's name tells the format: .jsonl, or .jsonl.zst and .parquet, which need
``pip install ".[recording]"``. A file that exists is gone on with. Beside it is a manifest: counts,
times, and what is missing.

Against a local simulator instead of the exchange: run ``upbit-stream simulate`` and set
``UPBIT_STREAM_URL`` to the address that it prints.
"""

import sys
from collections import defaultdict

from upbit_stream import Recorder, StreamConfig, Trade, UpbitStream, read_recording
from upbit_stream.simulator import Simulator

CODES = ["KRW-BTC", "KRW-ETH"]
SPEED = 10.0  # of the replay


class Strategy:
    """Cannot tell whether its market is live or recorded."""

    def __init__(self) -> None:
        self.volumes: dict[str, float] = defaultdict(float)

    def __call__(self, trade: Trade) -> None:
        self.volumes[trade.code] += trade.trade_volume

    def __str__(self) -> str:
        return ", ".join(f"{code} {self.volumes[code]:.8f}" for code in CODES)


seconds = float(sys.argv[1]) if len(sys.argv) > 1 else None
path = sys.argv[2] if len(sys.argv) > 2 else "trades.jsonl"
live, replayed = Strategy(), Strategy()

# The recorder is closed last, when the stream has delivered everything.
with Recorder(path, rotate_bytes=100_000_000) as recorder, UpbitStream() as stream:
    trades = stream.trade(CODES, callback=live)
    trades(recorder)
    stream.on_gap(recorder.on_gap)
    stream.on_drop(recorder.on_drop)
    stream.on_error(lambda error: print("error:", error))
    stream.run(seconds)

times = [event.received_at for event in read_recording(path)]
took = (times[-1] - times[0]) / 1e9 if times else 0.0  # from nanoseconds
print(f"{len(times)} events in {took:.1f} s, {recorder.stats.lost} lost, traded: {live}")

with Simulator(replay=path, replay_speed=SPEED, rate=0) as market:
    config = StreamConfig(url=market.url, rest_url=market.rest_url)
    with UpbitStream(config=config) as stream:
        stream.trade(CODES, callback=replayed)
        stream.run(took / SPEED + 1)
print(f"replayed in {took / SPEED:.1f} s, traded: {replayed}")
