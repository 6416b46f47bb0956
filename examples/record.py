"""Every trade into a file that survives a crash, and back as the same events.

    python examples/record.py [SECONDS] [FILE]

The end of the file's name tells the format: .jsonl.zst, .jsonl or .parquet. A file that exists is
gone on with. Beside it is a manifest: counts, times, and what is missing.

Against a local simulator instead of the exchange: run ``upbit-stream simulate`` and set
``UPBIT_STREAM_URL`` to the address that it prints. ``upbit-stream simulate --replay FILE`` serves
what was recorded.
"""

import sys
from collections import defaultdict

from upbit_stream import Recorder, Trade, UpbitStream, read_recording

seconds = float(sys.argv[1]) if len(sys.argv) > 1 else None
path = sys.argv[2] if len(sys.argv) > 2 else "trades.jsonl.zst"

# The recorder is closed last, when the stream has delivered everything.
with Recorder(path, rotate_bytes=100_000_000) as recorder, UpbitStream() as stream:
    stream.trade(["KRW-BTC", "KRW-ETH"], callback=recorder)
    stream.on_gap(recorder.on_gap)
    stream.on_drop(recorder.on_drop)
    stream.on_error(lambda error: print("error:", error))
    stream.run(seconds)

stats = recorder.stats
print(f"{stats.recorded} events, {stats.bytes} bytes in {stats.files} file(s), {stats.lost} lost")

volumes: dict[str, float] = defaultdict(float)
for event in read_recording(path):
    if isinstance(event, Trade):
        volumes[event.code] += event.trade_volume
for code, volume in sorted(volumes.items()):
    print(f"{code}: {volume:.8f} traded")
