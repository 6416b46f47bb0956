"""What goes through a broker, against its own client with the same payload; and how late it is.

``python -m benchmarks.brokers JOB`` (JSON) does one job in a process of its own.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

import msgspec
import psutil

from benchmarks.findings import Figure, Finding, Report, divide
from benchmarks.frames import codes, payloads
from tests.relay.servers import Broker, NatsServer, RedisServer
from upbit_stream import ConnectionPool, Event, Orderbook, StreamConfig, Trade, UpbitStream
from upbit_stream.protocol.decoding import Decoder
from upbit_stream.relay import Relay, RelaySource
from upbit_stream.relay.brokers import open_sink
from upbit_stream.relay.entries import EntryWriter
from upbit_stream.relay.redis_common import key_of

__all__ = ["BROKERS", "measure"]

#: The brokers that are there.
BROKERS: dict[str, Callable[[], Broker]] = {
    name: kind
    for name, kind in (("redis", RedisServer), ("nats", NatsServer))
    if shutil.which(f"{name}-server")
}

# Events that are sent together, as a relay does.
_BATCH = 500

# Codes over which they are spread.
_CODES = 20

# What the broker keeps of a code: everything here.
_KEPT = 1_000_000

# Before anything was published.
_LONG_AGO = datetime(2020, 1, 1, tzinfo=timezone.utc)

# Seconds within which a job must be done.
_DEADLINE = 300.0

Kind = Literal["trade", "orderbook"]
What = Literal[
    "publish", "publish bare", "publish bare, encoded",
    "consume", "consume bare", "consume bare, decoded", "latency",
]  # fmt: skip


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement."""

    what: What
    broker: str
    url: str
    kind: Kind
    events: int
    #: Events a second; of ``latency`` alone.
    rate: float = 0.0


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    per_second: float = 0.0
    #: Processor microseconds of the client, an event.
    cpu: float = 0.0
    #: Milliseconds from the publisher's receipt to the callback.
    p50: float = 0.0
    p99: float = 0.0


def measure(rounds: int, events: int, report: Report) -> None:
    """Every broker, with trades and with order books of 30 rows, in turns with its own client."""
    for broker, kind in itertools.product(BROKERS, ("trade", "orderbook")):
        done: dict[str, list[Done]] = {}
        server_cpu: dict[str, list[float]] = {}
        for _ in range(rounds):
            for pair in (
                ("publish", "consume", "consume bare, decoded"),
                ("publish bare", "consume bare"),
                ("publish bare, encoded",),
            ):
                with BROKERS[broker]() as server:
                    for what in pair:
                        job = Job(
                            what=what,
                            broker=broker,
                            url=server.url,
                            kind=kind,  # type: ignore[arg-type]
                            events=events,
                        )
                        before = _cpu_of(server)
                        done.setdefault(what, []).append(_run(job))
                        used = (_cpu_of(server) - before) / events * 1e6
                        server_cpu.setdefault(what, []).append(used)
            with BROKERS[broker]() as server:
                job = Job(
                    what="latency", broker=broker, url=server.url,
                    kind=kind, events=4000, rate=1000.0,  # type: ignore[arg-type]
                )  # fmt: skip
                done.setdefault("latency", []).append(_run(job))
        _tell(report, broker, kind, done, server_cpu)


def _tell(
    report: Report,
    broker: str,
    kind: str,
    done: dict[str, list[Done]],
    server_cpu: dict[str, list[float]],
) -> None:
    rates = {what: [one.per_second for one in some] for what, some in done.items()}
    for what, bare in (
        ("publish", "publish bare, encoded"),
        ("publish", "publish bare"),
        ("consume", "consume bare, decoded"),
        ("consume", "consume bare"),
    ):
        ratios = divide(rates[what], rates[bare])
        report.findings.append(Finding(f"{what}, {kind}, {broker}: against {bare}", ratios, 0.7))
    for each in server_cpu:
        report.figures.append(Figure("Events a second", f"{each}, {kind}, {broker}", rates[each]))
        cpu = [one.cpu for one in done[each]]
        group = "Processor microseconds an event"
        report.figures.append(Figure(group, f"{each}, {kind}, {broker}: client", cpu))
        name = f"{each}, {kind}, {broker}: server"
        report.figures.append(Figure(group, name, server_cpu[each]))
    group = "Milliseconds from the publisher's receipt to the callback, 1,000 events a second"
    for percentile in ("p50", "p99"):
        values = [getattr(one, percentile) for one in done["latency"]]
        report.figures.append(Figure(group, f"{percentile}, {kind}, {broker}", values))


def _cpu_of(server: Broker) -> float:
    times = psutil.Process(server.pid).cpu_times()
    return times.user + times.system


def _run(job: Job) -> Done:
    text = msgspec.json.encode(job).decode()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.brokers", text],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        check=True,
        timeout=_DEADLINE,
    )
    return msgspec.json.decode(done.stdout, type=Done)


# In the job's process.


def _events(job: Job) -> list[Event]:
    """Events of some codes, each with an id and a time of its own."""
    kind = "trade" if job.kind == "trade" else "orderbook 30"
    frames = payloads(kind, "SIMPLE", _CODES)
    shapes = Decoder().decode_all(frames)
    names = codes(_CODES)
    begin = time.time_ns() // 1_000_000
    events = []
    for number in range(job.events):
        shape: Any = shapes[number % len(shapes)]
        own = {"sequential_id": begin * 10_000 + number} if job.kind == "trade" else {}
        events.append(
            msgspec.structs.replace(
                shape, code=names[number % _CODES], timestamp=begin + number, **own
            )
        )
    return events


def _batches(events: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for begin in range(0, len(events), _BATCH):
        yield events[begin : begin + _BATCH]


class _Clock:
    """Time and processor time since it was made, or begun anew."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """From now on: who consumes begins with the first event that comes, so that neither side's
        imports, connecting and subscribing count.
        """
        self._cpu, self._begun = time.process_time(), time.perf_counter()

    def done(self, events: int) -> Done:
        """What it took for so many."""
        took = time.perf_counter() - self._begun
        cpu = (time.process_time() - self._cpu) / events * 1e6
        return Done(per_second=events / took, cpu=cpu)


def _publish(job: Job) -> Done:
    """Events, as they come from a stream, into the broker: written and sent."""
    events, writer = _events(job), EntryWriter()
    sink = open_sink(job.url, max_length=_KEPT)
    sink.open()
    clock = _Clock()
    added = sum(sink.send([writer.write(event) for event in some]) for some in _batches(events))
    done = clock.done(job.events)
    sink.close()
    assert added == job.events
    return done


def _publish_bare(job: Job) -> Done:
    """The same payloads by the client's own means, as many at a time: written already, or made of
    the events on the way.
    """
    writer = EntryWriter()
    entries = [(event, writer.write(event)) for event in _events(job)]
    encode = msgspec.msgpack.Encoder().encode if job.what.endswith("encoded") else _ignore
    if job.broker == "nats":
        return asyncio.run(_publish_bare_nats(job, entries, encode))
    import redis

    client = redis.Redis.from_url(job.url)
    clock = _Clock()
    for some in _batches(entries):
        pipeline = client.pipeline(transaction=False)
        for event, entry in some:
            encode(event)
            pipeline.xadd(key_of(entry.lane), {"e": entry.payload}, maxlen=_KEPT)
        pipeline.execute()
    return clock.done(job.events)


async def _publish_bare_nats(
    job: Job, entries: Sequence[Any], encode: Callable[[Any], object]
) -> Done:
    import nats

    client = await nats.connect(job.url)
    jetstream = client.jetstream()
    await jetstream.add_stream(
        name="UPBIT", subjects=["upbit.>"], max_msgs_per_subject=_KEPT, duplicate_window=120
    )
    clock = _Clock()
    for some in _batches(entries):
        acks = []
        for event, entry in some:
            encode(event)
            sent = await jetstream.publish_async(
                f"upbit.{entry.lane.type}.{entry.lane.code}",
                entry.payload,
                headers={"Nats-Msg-Id": f"{entry.lane.code}{entry.order}{entry.mark}"},
            )
            acks.append(sent)
        await asyncio.gather(*acks)
    done = clock.done(job.events)
    await client.close()
    return done


def _consume(job: Job) -> Done:
    """What is there already, to a callback that counts."""
    done = threading.Event()
    seen = itertools.count(1)
    clock = _Clock()
    found: list[Done] = []

    def count(_: Event) -> None:
        number = next(seen)
        if number == 1:
            clock.begin()
        elif number == job.events:
            found.append(clock.done(job.events))
            done.set()

    source = RelaySource(url=job.url, since=_LONG_AGO)
    config = StreamConfig(queue_size=job.events)
    with UpbitStream(source=source, config=config, pool=ConnectionPool()) as stream:
        getattr(stream, job.kind)(codes(_CODES), callback=count)
        assert done.wait(_DEADLINE)
    return found[0]


def _consume_bare(job: Job) -> Done:
    """The same by the client's own means, to nobody; what is decoded becomes typed events, too."""
    cls = Trade if job.kind == "trade" else Orderbook
    decode = msgspec.msgpack.Decoder(cls).decode if job.what.endswith("decoded") else _ignore
    if job.broker == "nats":
        return asyncio.run(_consume_bare_nats(job, decode))
    import redis

    client: Any = redis.Redis.from_url(job.url)
    after: dict[Any, Any] = {f"upbit:{job.kind}:{code}": "0" for code in codes(_CODES)}
    left = job.events
    clock = _Clock()
    while left > 0:
        for key, rows in client.xread(after, count=_BATCH):
            after[key.decode()] = rows[-1][0]
            for _, fields in rows:
                decode(fields[b"e"])
            left -= len(rows)
    return clock.done(job.events)


async def _consume_bare_nats(job: Job, decode: Callable[[bytes], object]) -> Done:
    import nats

    client = await nats.connect(job.url)
    left = job.events
    done = asyncio.Event()

    clock = _Clock()

    async def take(message: Any) -> None:
        nonlocal left
        if left == job.events:
            clock.begin()
        decode(message.data)
        left -= 1
        if not left:
            done.set()

    for code in codes(_CODES):
        await client.jetstream().subscribe(
            f"upbit.{job.kind}.{code}", stream="UPBIT", cb=take, ordered_consumer=True
        )
    await asyncio.wait_for(done.wait(), _DEADLINE)
    found = clock.done(job.events)
    await client.close()
    return found


def _ignore(_: object) -> None:
    """What is thrown away."""


def _latency(job: Job) -> Done:
    """Through a relay, at an even pace, and back to a callback. In one process, on one clock."""
    latencies: list[float] = []
    done = threading.Event()

    def note(event: Event) -> None:
        latencies.append((time.time_ns() - event.received_at) / 1e6)
        if len(latencies) >= job.events:
            done.set()

    events = _events(job)
    reader = UpbitStream(source=job.url, pool=ConnectionPool())
    publisher = UpbitStream()
    with reader, Relay(publisher, job.url, max_length=_KEPT) as relay:
        getattr(reader, job.kind)(codes(_CODES), callback=note)
        reader.wait_connected(10)
        time.sleep(1.0)
        begun = time.perf_counter()
        for number, event in enumerate(events):
            ahead = begun + number / job.rate - time.perf_counter()
            if ahead > 0:
                time.sleep(ahead)
            relay._buffer.put(msgspec.structs.replace(event, received_at=time.time_ns()))
        assert done.wait(30)
    publisher.close()
    latencies.sort()
    p99 = latencies[int(0.99 * len(latencies))]
    return Done(p50=statistics.median(latencies), p99=p99)


if __name__ == "__main__":
    _JOBS: dict[str, Callable[[Job], Done]] = {
        "publish": _publish,
        "publish bare": _publish_bare,
        "publish bare, encoded": _publish_bare,
        "consume": _consume,
        "consume bare": _consume_bare,
        "consume bare, decoded": _consume_bare,
        "latency": _latency,
    }
    _job = msgspec.json.decode(sys.argv[1], type=Job)
    sys.stdout.write(msgspec.json.encode(_JOBS[_job.what](_job)).decode())
