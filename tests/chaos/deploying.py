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
    from tests.chaos.nemeses import ChaosRun

_NOBODY: Final = Author("chaos")
_PATIENCE: Final = 10.0
"""Seconds after which a deployer gives up: then nobody knows whether the record is in the log, until somebody reads it."""


async def deploy(run: ChaosRun) -> None:
    """Up to three deployments, one soon after the other, of every kind, in the middle of whatever else goes on."""
    for _ in range(run.random.randint(1, 3)):
        way = run.random.choice(_WAYS)
        try:
            async with asyncio.timeout(_PATIENCE):
                await way(run)
        except (KafkaError, TimeoutError, OSError):
            run.injected["deployer without an answer"] += 1
        await run.wait(0, 4)


async def _plainly(run: ChaosRun) -> None:
    run.fault("deployment")
    await run.policy_log.deploy(_plan(run, (await run.policy_log.read()).log, await _set(run)))


async def _undo(run: ChaosRun) -> None:
    log = (await run.policy_log.read()).log
    try:
        record = proposal.undo(log, _NOBODY).record
    except NothingToUndoError:
        await _plainly(run)
        return
    run.fault("undo")
    await run.policy_log.deploy(record)


async def _rejudge(run: ChaosRun) -> None:
    log, policies = (await run.policy_log.read()).log, await _set(run)
    run.fault("rejudging deployment")
    earlier = run.pace.minute() - run.random.randint(1, 20) * MINUTE
    await run.policy_log.deploy(proposal.rejudge(log, policies, earlier, _NOBODY).record)


async def _two_at_once(run: ChaosRun) -> None:
    log = (await run.policy_log.read()).log
    records = [_plan(run, log, await _set(run)) for _ in range(2)]
    run.fault("two deployers at once")
    found = [one for one, _ in await asyncio.gather(*map(run.policy_log.deploy, records))]
    valid = sum(isinstance(one, Entry) for one in found)
    if valid != 1 or any(one.after == log.next_after and one not in found for one in await _entries(run)):
        raise AssertionError(f"of two deployments that followed {log.next_after}, {valid} are valid: {found}")


async def _poison(run: ChaosRun) -> None:
    """Bytes that are not a deployment. Every worker must find them void."""
    stray = run.random.choice([b"", b"no record", b"\x00sla\xb7", b"\x01sla\xb7" + run.random.randbytes(40)])
    producer = AIOKafkaProducer(bootstrap_servers=run.broker.bootstrap, enable_idempotence=True)
    try:
        await producer.start()
        run.fault("stray record among deployments")
        await producer.send_and_wait(run.policy_log.topic, stray, partition=0)
    finally:
        await producer.stop()


async def _and_die_in_the_sweep(run: ChaosRun) -> None:
    """A worker dies when the deployment begins to hold, or at a step of a unit of work about then."""
    log, policies = (await run.policy_log.read()).log, await _set(run)
    record = _plan(run, log, policies)
    worker = run.victim()
    if run.random.random() < 0.5:
        worker.failpoint = f"{run.random.choice(STEPS)}:{run.random.randint(1, 12)}"
        if worker.send(signal.SIGKILL):
            run.fault("death at a step of a sweep")
        await run.policy_log.deploy(record)
        return
    await run.policy_log.deploy(record)
    await asyncio.sleep(max(0.0, run.pace.seconds_until(record.at)) + run.random.uniform(0.15, 0.7))
    if worker.send(signal.SIGKILL):
        run.fault("kill -9 in a sweep")


def _plan(run: ChaosRun, log: Log, policies: PolicySet) -> DeploymentRecord:
    """From a whole minute on, a few real seconds from now."""
    lead = run.random.randint(1, 5) * MINUTE
    return proposal.deploy(log, policies, run.pace.minute() + MINUTE + lead, _NOBODY).record


async def _set(run: ChaosRun) -> PolicySet:
    run.variants += 1
    file = run.folder / f"deployed-{run.variants}.yaml"
    data = variant(run.random, run.pace.minute())
    policies = await asyncio.to_thread(read, data, file)
    run.calendars[fingerprint(policies)] = data["calendars"]
    return policies


async def _entries(run: ChaosRun) -> list[Entry]:
    return list((await run.policy_log.read()).log.entries.values())


_WAYS: Final = [_plainly, _plainly, _undo, _rejudge, _two_at_once, _poison, _and_die_in_the_sweep]
