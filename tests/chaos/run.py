"""One run: a broker, workers, a helpdesk, a seed's faults, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import tempfile
import time
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

import yaml

from stream.devkafka.broker import Broker
from stream.language.policies import load
from stream.runtime.kafka.policy_log import PolicyLog
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics
from stream.sla.effects import Kind
from stream.wire.effect import decode_effect
from tests.chaos.check_state import check_state
from tests.chaos.checker import check_effects, check_rejected
from tests.chaos.cluster import ENDED, Cluster
from tests.chaos.deploying import deploy
from tests.chaos.disk import Disk
from tests.chaos.erasures_checker import check_erasures
from tests.chaos.feeds_checker import check_feeds
from tests.chaos.helpdesk import Helpdesk
from tests.chaos.nemeses import BROKER_FAULTS, KINDS, ChaosRun, Nemesis
from tests.chaos.outages import Outage, OutageMonitor
from tests.chaos.pace import MINUTE, Pace
from tests.chaos.recording import Recording, committed, read_all, record
from tests.chaos.truth import Hours, Truth, hours_of, truth
from tests.chaos.variants import POLICY
from tests.chaos.workload import CANARY_DUE, PARTITIONS, canaries, planned, with_erasures

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from typing import Any

    from stream.sla.policy.resolve import PolicySet

SPEED: Final = 60
"""A minute passes in a second."""
_SHOWS: Final = 1_798_794_000_000_000
"""What the run's clock shows at its beginning: 2027-01-01 09:00 UTC."""
DEPLOYING: Final = 0.7
"""How often somebody deploys in the middle of another fault."""
_PATIENCE: Final = 180.0
"""Seconds for what is to come true once all faults are over."""


class Outcome(NamedTuple):
    """What a run came to."""

    seed: int
    objections: list[str]
    injected: Counter[str]
    outages: dict[str, Outage]
    """By the name of the fault: its kind and number."""
    counts: Counter[str]
    """``events``, ``emitted``, ``retracted``, ``refused``, ``tickets``; and the exits of workers."""
    seconds: float


@cache
def hours() -> Hours:
    """The calendars of the policy, as the oracle reads them."""
    return hours_of(yaml.safe_load(POLICY.read_text("utf-8"))["calendars"])


@cache
def policies() -> PolicySet:
    return load([POLICY])


async def run_seed(seed: int, folder: Path, *, minutes: int, kinds: Sequence[Nemesis], at_least: int) -> Outcome:
    """One run with faults in this order, ``at_least`` so many of them and then others as long as the feed lasts.

    ``minutes``: of feed, each a second. The logs lie in ``folder`` afterwards.
    """
    since = time.monotonic()
    random = Random(seed)
    with Disk(folder / "broker") as disk, Broker(data=disk.data) as broker:
        topics = Topics(f"chaos-{seed}", f"c{seed}.")
        await create(broker.bootstrap, topics, partitions=PARTITIONS)
        pace = Pace(time.time_ns() // 1_000, _SHOWS, SPEED)
        history = random.choice([200, 200, 6])
        flags = ["--grace", "12s", "--max-ahead", "1h", "--history", str(history), "--batch", str(random.choice([5, 50, 5000]))]
        cluster = Cluster(broker.bootstrap, topics, folder, pace, random.choice([2, 2, 3]), *flags)
        helpdesk = Helpdesk(broker.bootstrap, topics.events, pace)
        outage_monitor = OutageMonitor(broker.bootstrap, topics, helpdesk)
        policy_log = PolicyLog({"bootstrap_servers": broker.bootstrap}, topics)
        run = ChaosRun(random, pace, broker, disk, cluster, helpdesk, outage_monitor, policy_log, folder)
        try:
            async with _going_on(cluster.supervise(), helpdesk.publish(), outage_monitor.run()) as still_well:
                until = await _play(run, topics, minutes, kinds, at_least, still_well)
            recording = await record(
                broker.bootstrap,
                topics,
                run.calendars,
                pace=pace,
                steps=run.steps,
                until=until,
                stopped=pace.now(),
                history=history,
            )
        finally:
            cluster.kill()
        (folder / "broker.log").write_bytes(broker.log.read_bytes())
    objections, counts = judge(recording)
    objections += cluster.unexplained(broker_was_away=bool(BROKER_FAULTS & run.injected.keys()))
    counts.update(f"exit {one.status}" for one in cluster.exits)
    counts["published again"] = helpdesk.again
    return Outcome(seed, objections, run.injected, outage_monitor.outages, counts, time.monotonic() - since)


def judge(recording: Recording, known: Truth | None = None) -> tuple[list[str], Counter[str]]:
    """All objections to a recording, and how much there was to object to. ``known``: the truth, if it is known already."""
    known = known or truth(recording, policies(), hours())
    objections, counts = check_effects(recording, known)
    objections += check_rejected(recording, known)
    objections += check_feeds(recording)
    objections += check_erasures(recording, known)
    objections += check_state(recording, known)
    counts["events"] = len(recording.events)
    counts["tickets"] = len(known.tickets)
    counts["refused"] = len(known.refused)
    counts["deployments"] = len(known.judges.entries)
    counts["void deployments"] = len(known.judges.void)
    counts["tickets erased"] = len(known.erasures)
    counts["tickets cut"] = sum(known_ticket.cut for known_ticket in known.tickets.values())
    return objections, counts


async def _play(
    run: ChaosRun,
    topics: Topics,
    minutes: int,
    kinds: Sequence[Nemesis],
    at_least: int,
    still_well: Callable[[], None],
) -> int:
    """The feed and the faults, until everything is processed. The instant up to which everything must have been emitted."""
    bootstrap = run.broker.bootstrap

    async def until(true: Callable[[], Awaitable[bool]], what: str) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not await true():
            still_well()
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {_PATIENCE:g} s after all faults: {what}")
            await asyncio.sleep(0.25)

    async def ready() -> bool:
        return all(worker.logged("ready: ") for worker in run.cluster.workers)

    async def all_published_and_processed() -> bool:
        if not run.helpdesk.done:
            return False
        reached = await committed(bootstrap, topics.group, topics.events)
        return all(reached.get(number, 0) > offset for number, (_, offset) in run.helpdesk.published.items())

    async def deployments_hold() -> bool:
        last = (await run.policy_log.read()).log.last
        return last is not None and last.at < run.pace.minute()

    async def canaries_died() -> bool:
        found = (await read_all(bootstrap, (topics.breaches,)))[topics.breaches]
        emitted = [decode_effect(one.value or b"") for one in found if (one.key or b"").startswith(b"canary/")]
        # A slow machine may see a canary's next deadline pass as well.
        return len({effect.ticket for effect in emitted if effect.kind is Kind.BREACHED}) == PARTITIONS

    await until(ready, "the workers have started")
    begins = run.pace.minute()
    run.helpdesk.feed(with_erasures(run.random, planned(run.random, begins, minutes, 5)))
    await run.wait(1, 4)
    for count, nemesis in enumerate(kinds):
        if count < at_least or run.pace.now() < begins + minutes * MINUTE:
            meanwhile = [deploy] if nemesis is not deploy and run.random.random() < DEPLOYING else []
            await asyncio.gather(*(each(run) for each in (nemesis, *meanwhile)))
            still_well()
            await run.wait(0, 6)
    for worker in run.cluster.workers:
        worker.wanted = True
    await until(all_published_and_processed, "all input is published, processed and committed")
    await until(deployments_hold, "the last deployment holds")
    born = run.pace.minute()
    run.helpdesk.publish_now(canaries(born))
    # A partition wakes its tickets in the order of their instants: when this breach is emitted, all before it are.
    await until(canaries_died, "the breaches of the last deadlines are emitted")
    await until(all_published_and_processed, "all input is committed")
    for worker in run.cluster.workers:
        if (status := await run.cluster.leave(worker, _PATIENCE)) not in ENDED:
            raise AssertionError(f"worker {worker.number} got SIGTERM when all was over, and ended with {status}: {worker.log}")
    return born + CANARY_DUE


@contextlib.asynccontextmanager
async def _going_on(*work: Coroutine[Any, Any, None]) -> Any:
    """Let these run meanwhile; what is given raises what one of them has raised."""
    tasks = [asyncio.create_task(one) for one in work]

    def still_well() -> None:
        for task in tasks:
            if task.done():
                task.result()

    try:
        yield still_well
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def play(seed: int, *, minutes: int, keep: bool = False) -> Outcome:
    """A run of this seed with its own order of faults, in a folder that is kept when something is wrong, or ``keep``."""
    folder = Path(tempfile.mkdtemp(prefix=f"chaos-{seed}-"))
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a broker that is away is what we want
    # The first kind goes by the seed, so that a row of seeds has them all.
    first = KINDS[seed % len(KINDS)]
    others = [one for one in KINDS if one is not first]
    kinds = [first, *Random(seed).sample(others, len(others))]
    try:
        outcome = asyncio.run(run_seed(seed, folder, minutes=minutes, kinds=kinds, at_least=2))
    except BaseException:
        print(f"seed {seed}: the logs are in {folder}", flush=True)
        raise
    if outcome.objections or keep:
        (folder / "objections.txt").write_text("\n".join(outcome.objections), "utf-8")
        print(f"seed {seed}: the logs are in {folder}", flush=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome
