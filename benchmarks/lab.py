"""What benchmarks on a real broker share: processes on cores of their own, topics with input in them, and a watch on both.

Whoever does the work has the first core for itself; the broker and the benchmark share the others.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self
from urllib.request import urlopen

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2
from aiokafka.structs import TopicPartition

import stream
from stream.devkafka.child_guard import ChildGuard
from stream.devkafka.ports import free_port
from stream.runtime.kafka.transport import Record, submit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence

    from stream.runtime.kafka.topics import Topics

PARTITIONS: Final = 4
ROOT: Final = Path(__file__).parents[1]
SITE: Final = Path(stream.__file__).parents[1]
"""Where this benchmark has breachwatch from: what it starts is the same, compiled or not."""
_TICK: Final = os.sysconf("SC_CLK_TCK")
_ALL: Final = sorted(os.sched_getaffinity(0))
WORKERS: Final = {_ALL[0]}
OTHERS: Final = set(_ALL[1:]) or WORKERS
PATIENCE: Final = 180.0
"""Seconds that anything here may take; then the benchmark ends with an error."""


@contextmanager
def on_cores(cores: set[int]) -> Iterator[None]:
    """What is started in this block runs on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Child:
    """A Python process of this benchmark: ends with the block, or with the benchmark however that ends."""

    def __init__(self, log: Path, *arguments: str, cores: set[int] = WORKERS) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BREACHWATCH_")}
        environment["PYTHONPATH"] = os.pathsep.join([str(SITE), str(ROOT / "benchmarks")])
        self.log = log
        with on_cores(cores), log.open("wb") as output:
            self.began = time.perf_counter()
            self.process = subprocess.Popen(
                [sys.executable, *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, cwd=SITE
            )
        self._guard = ChildGuard(self.process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self._guard.release()
        self.process.wait()

    def check(self) -> None:
        """Raises RuntimeError when it has ended."""
        if self.process.poll() is not None:
            raise RuntimeError(f"it ended with {self.process.returncode}:\n{self.log.read_text('utf-8')[-4000:]}")

    def cpu(self) -> float:
        """Seconds of CPU it has used, all of its threads together."""
        return _cpu(Path(f"/proc/{self.process.pid}/stat"))

    def cpu_by_thread(self) -> dict[int, float]:
        """The same by thread, the main thread first."""
        tasks = sorted(Path(f"/proc/{self.process.pid}/task").iterdir(), key=lambda task: int(task.name))
        return {int(task.name): _cpu(task / "stat") for task in tasks}

    def resident(self) -> int:
        """Bytes of memory it occupies."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Worker(Child):
    """``breachwatch worker`` on the Batoi policy, settings as by default but for what ``flags`` say."""

    def __init__(self, broker: str, topics: Topics, folder: Path, *flags: str, entry: Sequence[str] = ("-m", "stream")) -> None:
        self.port = free_port()
        usual = {"--policies": "batoi", "--metrics-port": str(self.port)}
        usual |= {"--broker": broker, "--app-id": topics.app_id, "--topic-prefix": topics.prefix}
        usual |= dict(zip(flags[::2], flags[1::2], strict=True))
        log = folder / f"worker-{time.monotonic_ns()}.log"
        super().__init__(log, *entry, "worker", *(word for pair in usual.items() for word in pair))

    def page(self, name: str) -> str:
        """One of its pages. Raises OSError: it does not serve them (yet), or states that it is not ready."""
        with urlopen(f"http://127.0.0.1:{self.port}/{name}", timeout=10) as answer:
            text: str = answer.read().decode()
        return text

    def is_live(self) -> bool:
        """Whether it has caught up on all its partitions."""
        try:
            return self.page("readyz").startswith("live")
        except OSError:
            self.check()
            return False

    def total(self, metric: str) -> float:
        """A metric of its, summed up over all labels."""
        lines = self.page("metrics").splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{metric}{{", f"{metric} ")))


class Core:
    """What else was done on the workers' core since this was made: it is shared with whatever runs on the machine."""

    def __init__(self, worker: Child) -> None:
        self._worker, self._began = worker, time.perf_counter()
        self._busy, self._own = _busy(min(WORKERS)), worker.cpu()

    def __str__(self) -> str:
        took, own = time.perf_counter() - self._began, self._worker.cpu() - self._own
        others = max(0.0, _busy(min(WORKERS)) - self._busy - own)
        return f"the worker had {own / took:.0%} of its core, others {others / took:.0%}"


def until(true: Any, what: str, every: float = 0.05) -> Any:
    """Wait for a condition; what it gave."""
    deadline = time.perf_counter() + PATIENCE
    while not (found := true()):
        if time.perf_counter() > deadline:
            raise RuntimeError(f"not within {PATIENCE:.0f} s: {what}")
        time.sleep(every)
    return found


def partition_of(key: bytes) -> int:
    """The partition Kafka's own clients would choose."""
    return int((murmur2(key) & 0x7FFF_FFFF) % PARTITIONS)


async def produce(broker: str, topic: str, records: Iterable[Record], partition: int | None = None) -> None:
    """Write records in whole batches, each to the partition of its key if none is given."""
    by_partition: dict[int, list[Record]] = {}
    for record in records:
        by_partition.setdefault(partition_of(record.key or b"") if partition is None else partition, []).append(record)
    producer = AIOKafkaProducer(bootstrap_servers=broker, enable_idempotence=True, max_batch_size=512 * 1024)
    await producer.start()
    try:
        for number, some in by_partition.items():
            for delivery, _ in await submit(producer, topic, number, some):
                await delivery
    finally:
        await producer.stop()


class Sample(NamedTuple):
    """The state of a process at work at one instant."""

    at: float
    """Seconds on the monotonic clock."""
    cpu: float
    """Seconds of CPU it had used by then."""
    done: int
    """Records of the input topic that its group had committed."""


@asynccontextmanager
async def committed(broker: str, group: str, topic: str) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """A function that returns how many records of a topic a group has committed."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()

    async def committed_records() -> int:
        try:
            offsets = await admin.list_consumer_group_offsets(group)
        except KafkaError:
            return 0  # the broker has just started, or does not know the group yet
        return sum(max(0, offset.offset) for tp, offset in offsets.items() if tp.topic == topic)

    try:
        yield committed_records
    finally:
        await admin.close()


async def watch(broker: str, child: Child, group: str, topic: str, end: int, seconds: float = PATIENCE) -> list[Sample]:
    """A sample at each commit, until ``end`` records are committed or so many seconds are over."""
    samples: list[Sample] = []
    deadline = time.perf_counter() + seconds
    async with committed(broker, group, topic) as committed_records:
        while time.perf_counter() < deadline and not (samples and samples[-1].done >= end):
            child.check()
            done = await committed_records()
            if done and not (samples and samples[-1].done == done):
                samples.append(Sample(time.perf_counter(), child.cpu(), done))
            await asyncio.sleep(0.02)
    if len(samples) < 2:
        raise RuntimeError(f"{group} did not get under way:\n{child.log.read_text('utf-8')[-4000:]}")
    return samples


async def forget(broker: str, *topics: str) -> None:
    """Delete all records of these topics."""
    every = [TopicPartition(topic, number) for topic in topics for number in range(PARTITIONS)]
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        await admin.delete_records(dict.fromkeys(every, RecordsToDelete(before_offset=-1)))
    finally:
        await admin.close()


def _busy(core: int) -> float:
    """Seconds a core has worked since the machine was started."""
    line = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(f"cpu{core} "))
    user, nice, system, _idle, _wait, irq, softirq, steal = map(int, line.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / _TICK


def _cpu(stat: Path) -> float:
    fields = stat.read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICK
