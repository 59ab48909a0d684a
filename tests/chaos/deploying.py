"""Deployments as a nemesis: other policies while tickets are open and workers are in trouble."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from stream.deployments import proposal
from stream.deployments.log import Entry, NothingToUndoError
from stream.deployments.proposal import Author
from stream.deployments.snapshot import fingerprint
from stream.runtime.failpoint import STEPS
from tests.chaos.pace import MINUTE
from tests.chaos.variants import read, variant

if TYPE_CHECKING:
    from stream.deployments.log import Log
    from stream.deployments.record import DeploymentRecord
    from stream.sla.policy.resolve import PolicySet
    from tests.chaos.nemeses import World

_NOBODY: Final = Author("chaos")
_PATIENCE: Final = 10.0
"""Seconds after which a deployer gives up: then nobody knows whether the record is in the log, until somebody reads it."""


async def deploy(world: World) -> None:
    """Up to three deployments, one soon after the other, of every kind, in the middle of whatever else goes on."""
    for _ in range(world.random.randint(1, 3)):
        way = world.random.choice(_WAYS)
        try:
            async with asyncio.timeout(_PATIENCE):
                await way(world)
        except (KafkaError, TimeoutError, OSError):
            world.injected["deployer without an answer"] += 1
        await world.wait(0, 4)


async def _plainly(world: World) -> None:
    world.fault("deployment")
    await world.policy_log.deploy(_plan(world, (await world.policy_log.read()).log, await _set(world)))


async def _undo(world: World) -> None:
    log = (await world.policy_log.read()).log
    try:
        record = proposal.undo(log, _NOBODY).record
    except NothingToUndoError:
        await _plainly(world)
        return
    world.fault("undo")
    await world.policy_log.deploy(record)


async def _rejudge(world: World) -> None:
    log, policies = (await world.policy_log.read()).log, await _set(world)
    world.fault("rejudging deployment")
    earlier = world.pace.minute() - world.random.randint(1, 20) * MINUTE
    await world.policy_log.deploy(proposal.rejudge(log, policies, earlier, _NOBODY).record)


async def _two_at_once(world: World) -> None:
    log = (await world.policy_log.read()).log
    records = [_plan(world, log, await _set(world)) for _ in range(2)]
    world.fault("two deployers at once")
    found = [one for one, _ in await asyncio.gather(*map(world.policy_log.deploy, records))]
    valid = sum(isinstance(one, Entry) for one in found)
    if valid != 1 or any(one.after == log.next_after and one not in found for one in await _entries(world)):
        raise AssertionError(f"of two deployments that followed {log.next_after}, {valid} are valid: {found}")


async def _poison(world: World) -> None:
    """Bytes that are not a deployment. Every worker must find them void."""
    stray = world.random.choice([b"", b"no record", b"\x00sla\xb7", b"\x01sla\xb7" + world.random.randbytes(40)])
    producer = AIOKafkaProducer(bootstrap_servers=world.broker.bootstrap, enable_idempotence=True)
    try:
        await producer.start()
        world.fault("stray record among deployments")
        await producer.send_and_wait(world.policy_log.topic, stray, partition=0)
    finally:
        await producer.stop()


async def _and_die_in_the_sweep(world: World) -> None:
    """A worker dies when the deployment begins to hold, or at a step of a unit of work about then."""
    log, policies = (await world.policy_log.read()).log, await _set(world)
    record = _plan(world, log, policies)
    worker = world.victim()
    if world.random.random() < 0.5:
        worker.failpoint = f"{world.random.choice(STEPS)}:{world.random.randint(1, 12)}"
        if worker.send(signal.SIGKILL):
            world.fault("death at a step of a sweep")
        await world.policy_log.deploy(record)
        return
    await world.policy_log.deploy(record)
    await asyncio.sleep(max(0.0, world.pace.seconds_until(record.at)) + world.random.uniform(0.15, 0.7))
    if worker.send(signal.SIGKILL):
        world.fault("kill -9 in a sweep")


def _plan(world: World, log: Log, policies: PolicySet) -> DeploymentRecord:
    """From a whole minute on, a few real seconds from now."""
    lead = world.random.randint(1, 5) * MINUTE
    return proposal.deploy(log, policies, world.pace.minute() + MINUTE + lead, _NOBODY).record


async def _set(world: World) -> PolicySet:
    world.variants += 1
    file = world.folder / f"deployed-{world.variants}.yaml"
    data = variant(world.random, world.pace.minute())
    policies = await asyncio.to_thread(read, data, file)
    world.calendars[fingerprint(policies)] = data["calendars"]
    return policies


async def _entries(world: World) -> list[Entry]:
    return list((await world.policy_log.read()).log.entries.values())


_WAYS: Final = [_plainly, _plainly, _undo, _rejudge, _two_at_once, _poison, _and_die_in_the_sweep]
