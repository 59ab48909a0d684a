"""Events a second and CPU an event: the worker, the raw ceiling and stock Faust, on one broker and one input topic.

    python benchmarks/throughput.py [--tickets 10000] [--rounds 3] [--profile]

Whoever reads has a core for itself, the broker another. The input (benchmarks/lives.py) is in the topic before anybody
starts. Rounds alternate, so that a slow spell of a shared machine meets all. What is committed is read many times a round;
the figures are the slopes of time and of CPU over it, without its beginning (start and warm-up) and its end: what is under way,
done and not yet committed, is about the same at each reading and so does not count. What each does is stated in
benchmarks/peers.py. Figures in events/s and microseconds scale with the machine; ratios do so less.

``--profile`` runs the worker once more, with its stacks sampled, and prints where the CPU went.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import tempfile
from pathlib import Path
from statistics import linear_regression, median
from typing import Any, Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from figures import figure, machine
from lab import OTHERS, PARTITIONS, Child, Worker, forget, on_cores, produce, until, watch
from lives import feed

from stream.devkafka.broker import Broker
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics
from stream.runtime.kafka.transport import Record
from stream.wire.effect import encode_event

EVENTS_TARGET: Final = 25_000
CPU_TARGET: Final = 40.0
"""Of this work. ``benchmarks/compared.py`` has the targets of the lighter work that other engines were measured on."""
STEADY: Final = (0.15, 0.9)
"""The part of the input over which a round is measured."""
STOCK_SECONDS: Final = 15.0
"""Stock Faust reads a part of the input: as much as it manages, up to a tenth."""
PEERS: Final = str(Path(__file__).parent / "peers.py")
SAMPLED: Final = str(Path(__file__).parent / "sampled.py")


class Run(NamedTuple):
    events: float
    """Events a second."""
    cpu: float
    """Microseconds of CPU an event."""


class Comparison:
    """One input topic, and the programs that read it, one after another."""

    def __init__(self, broker: str, folder: Path, total: int) -> None:
        self.broker, self.folder, self.total = broker, folder, total
        self.topics = Topics("bench-0", "bench.")
        self.effects = 0.0
        self._runs = 0

    def worker(self, *, profile: Path | None = None) -> Run:
        self._runs += 1
        # A table and a group of its own, and empty outputs.
        topics = Topics(f"bench-{self._runs}", "bench.")
        asyncio.run(create(self.broker, topics, partitions=PARTITIONS))
        asyncio.run(forget(self.broker, topics.breaches, topics.escalations, topics.rejected))
        entry = ("-m", "stream") if profile is None else (SAMPLED, str(profile))
        with Worker(self.broker, topics, self.folder, "--commit-interval", "200ms", entry=entry) as worker:
            run = slopes(self.broker, worker, topics.group, self.topics.events, self.total)
            until(lambda: worker.total("sla_events_total") >= self.total, "all events are counted")
            if worker.total("sla_events_rejected_total"):
                raise RuntimeError("the worker rejected some of the feed")
            self.effects = worker.total("sla_effects_total")
            if profile is not None:
                print(_threads(worker, self.total))
                worker.process.send_signal(signal.SIGTERM)
                worker.process.wait(60)
        return run

    def raw(self) -> Run:
        group = self._group("changelog")
        with Child(self.folder / f"{group}.log", PEERS, "raw", self.broker, group, self.topics.events) as child:
            return slopes(self.broker, child, group, self.topics.events, self.total)

    def stock(self) -> Run:
        group = self._group("outputs")
        with Child(self.folder / f"{group}.log", PEERS, "faust", self.broker, group, self.topics.events) as child:
            return slopes(self.broker, child, group, self.topics.events, self.total // 10, STOCK_SECONDS)

    def _group(self, topic: str) -> str:
        self._runs += 1
        group = f"peer-{self._runs}"
        asyncio.run(make(self.broker, f"{group}-{topic}"))
        return group


def slopes(broker: str, child: Child, group: str, topic: str, end: int, seconds: float = 120.0) -> Run:
    """What a process does a second and an event, until it has committed ``end`` records of a topic or the time is over."""
    samples = asyncio.run(watch(broker, child, group, topic, end, seconds))
    steady = [one for one in samples if STEADY[0] <= one.done / samples[-1].done <= STEADY[1]]
    if len(steady) < 3:
        steady = samples  # so few commits are of a trial
    done = [one.done for one in steady]
    by_time = linear_regression(done, [one.at for one in steady]).slope
    return Run(1 / by_time, linear_regression(done, [one.cpu for one in steady]).slope * 1e6)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tickets", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--profile", action="store_true")
    options.add_argument("--only", choices=("worker", "raw"), help="leave the others out, to try something")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, on_cores(OTHERS), Broker() as broker:
        compare(broker.bootstrap, Path(folder), chosen)


def compare(broker: str, folder: Path, chosen: Any) -> None:
    print(machine())
    lives = [Record(ticket.encode(), encode_event(ticket, event), []) for ticket, event in feed(chosen.tickets)]
    comparison = Comparison(broker, folder, len(lives))
    asyncio.run(create(broker, comparison.topics, partitions=PARTITIONS))
    asyncio.run(produce(broker, comparison.topics.events, lives))
    size = sum(len(record.value or b"") for record in lives) / len(lives)
    print(f"{len(lives):,} events of {chosen.tickets:,} tickets, {size:.0f} bytes each, {PARTITIONS} partitions", flush=True)
    workers, raws, stocks = [], [], []
    for number in range(chosen.rounds):
        if chosen.only != "raw":
            workers.append(printed("worker", comparison.worker()))
        if chosen.only != "worker":
            raws.append(printed("raw", comparison.raw()))
        if chosen.only is None and number < 2:
            stocks.append(printed("stock Faust", comparison.stock()))
    if workers:
        print(f"an event makes {comparison.effects / comparison.total:.2f} effects")
        figure("worker, events/s of one core", [run.events for run in workers], "events/s", EVENTS_TARGET, least=True)
        figure("worker, CPU an event", [run.cpu for run in workers], "us", CPU_TARGET)
    if raws:
        figure("raw ceiling, events/s of one core", [run.events for run in raws], "events/s")
        figure("raw ceiling, CPU an event", [run.cpu for run in raws], "us")
    if workers and raws:
        both = list(zip(workers, raws, strict=True))
        cpu, rate = [raw.cpu / own.cpu for own, raw in both], [own.events / raw.events for own, raw in both]
        figure("worker to raw ceiling, by CPU", cpu, "")
        figure("worker to raw ceiling, by events/s", rate, "")
    if stocks:
        figure("stock Faust, events/s of one core", [run.events for run in stocks], "events/s")
        usual = median(run.cpu for run in workers)
        figure("stock Faust, its CPU to the worker's", [run.cpu / usual for run in stocks], "times")
    if chosen.profile:
        file = folder / "profile.json"
        comparison.worker(profile=file)
        _print_profile(json.loads(file.read_text("utf-8")))


def printed(who: str, run: Run) -> Run:
    """Print a run, and return it."""
    print(f"  {who}: {run.events:,.0f} events/s, {run.cpu:.1f} us of CPU an event", flush=True)
    return run


async def make(broker: str, *names: str) -> None:
    """Create topics."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names])
    finally:
        await admin.close()


def _threads(worker: Worker, events: int) -> str:
    times = worker.cpu_by_thread().values()
    return "CPU by thread, the start included, us an event: " + ", ".join(f"{time / events * 1e6:.1f}" for time in times)


def _print_profile(profile: dict[str, dict[str, int]]) -> None:
    total = sum(profile["itself"].values())
    for title, counts in (("the function itself", profile["itself"]), ("the function and what it calls", profile["anywhere"])):
        print(f"\n{'share':>6}  {title}")
        for name, count in sorted(counts.items(), key=lambda one: -one[1])[:45]:
            print(f"{count / total:6.1%}  {name}")


if __name__ == "__main__":
    main()
