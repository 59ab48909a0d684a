"""Policies that are deployed while workers run and tickets are open, on a real broker."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from stream.deployments.export import export_line, read_export_records
from stream.deployments.log import Entry
from stream.deployments.record import DeploymentKind, new_record
from stream.language.policies import load
from stream.runtime.kafka.policy_log import PolicyLog
from stream.runtime.kafka.topic_admin import create
from stream.sla.effects import Kind, Reason
from tests.broker.running import POLICY, SECOND, Emitted, Worker, effects, event, now, publish, sent, until

if TYPE_CHECKING:
    from pathlib import Path

    from stream.runtime.kafka.topics import Topics

TICKETS = 24
LONGER = POLICY.replace("p1: 8h", "p1: 9h")
SHORT = POLICY.replace("p1: 8h", "p1: 1s")


def _deploy(
    broker: str, topics: Topics, folder: Path, policy: str, *, at: int, kind: DeploymentKind = DeploymentKind.DEPLOY
) -> int:
    """Append the set to the log of deployments; its number."""
    file = folder / f"deployed-{at}.yaml"
    file.write_text(policy, "utf-8")

    async def run() -> int:
        log = PolicyLog({"bootstrap_servers": broker}, topics)
        found, _ = await log.deploy(new_record((await log.read()).log.next_after, at, kind, load([file])))
        assert isinstance(found, Entry)
        return found.number

    return asyncio.run(run())


def _open_tickets(broker: str, topics: Topics) -> int:
    at = now()
    opened = [
        (f"desk/{number}", event(f"desk/{number}", "ticket.created", at, fields={"priority": "p1"}))
        for number in range(TICKETS)
    ]
    publish(broker, topics, [sent(ticket, what) for ticket, what in opened])
    until(lambda: len(_of(effects(broker, topics), Kind.STARTED)) == 2 * TICKETS, "every ticket has its deadlines")
    return at


def _of(emitted: list[Emitted], kind: Kind, commitment: str = "") -> list[Emitted]:
    return [each for each in emitted if each.effect.kind is kind and commitment in ("", each.effect.commitment)]


def test_a_deployment_moves_the_deadlines_of_open_tickets_on_running_workers(
    broker: str, topics: Topics, tmp_path: Path
) -> None:
    with Worker(broker, topics, tmp_path).ready() as first, Worker(broker, topics, tmp_path) as second:
        until(lambda: first.owns_some() and second.owns_some() and first.readies() > 1, "both own partitions", second)
        opened = _open_tickets(broker, topics)

        number = _deploy(broker, topics, tmp_path, LONGER, at=now() + SECOND)
        moved = until(
            lambda: len(found := _of(effects(broker, topics), Kind.RETARGETED)) >= TICKETS and found, "deadlines move", first
        )

    assert Counter(each.effect.ticket for each in moved) == {f"desk/{number}": 1 for number in range(TICKETS)}
    assert {each.effect.due_at for each in moved} == {opened + 9 * 3_600 * SECOND}
    assert {(each.effect.reason, each.effect.cause, each.effect.deployment) for each in moved} == {
        (Reason.POLICY_CHANGED, f"deployment:{number}", number)
    }
    assert not _of(effects(broker, topics), Kind.BREACHED)


def test_a_worker_that_starts_with_old_files_goes_by_what_was_deployed(broker: str, topics: Topics, tmp_path: Path) -> None:
    with Worker(broker, topics, tmp_path).ready():
        _open_tickets(broker, topics)
    _deploy(broker, topics, tmp_path, LONGER, at=now())

    with Worker(broker, topics, tmp_path).ready() as worker:
        until(lambda: len(_of(effects(broker, topics), Kind.RETARGETED)) == TICKETS, "deadlines move", worker)
        log = worker.log.read_text("utf-8")

    assert "the policy files of this worker differ from deployment 1" in log


def test_a_workers_page_and_its_metrics_follow_a_deployment_while_it_runs(broker: str, topics: Topics, tmp_path: Path) -> None:
    with Worker(broker, topics, tmp_path).ready().live() as worker:
        _open_tickets(broker, topics)
        target = 'sla_target_seconds{clock="wall",commitment="resolution",policy="shop",priority="p1"}'
        before = _metrics(worker)
        assert (before[target], before["sla_deployment_newest"], before["sla_policy_files_differ"]) == (8 * 3_600, 0, 0)

        number = _deploy(broker, topics, tmp_path, LONGER, at=now() + SECOND)
        swept = [f'sla_deployment_swept{{partition="{partition}"}}' for partition in range(4)]
        until(lambda: {_metrics(worker).get(one) for one in swept} == {number}, "every partition is swept", worker)

        after = _metrics(worker)
        assert (after[target], after["sla_deployment_newest"], after["sla_policy_files_differ"]) == (9 * 3_600, number, 1)
        assert {after[f'sla_sweep_remaining_tickets{{partition="{partition}"}}'] for partition in range(4)} == {0}
        page = until(lambda: _page_of(worker, number), "the page lists it", worker)
        ticket = json.loads(worker.page("tickets/desk%2F0?format=json"))

    newest, first = page["deployments"]
    assert (newest["number"], newest["remaining_tickets"], first["number"]) == (number, 0, 0)
    assert any(line.endswith("8h -> 9h") for line in newest["changes"])
    assert page["policy_files_differ"] is True
    (resolution,) = (one for one in ticket["explanation"]["deadlines"] if one["commitment"] == "resolution")
    assert resolution["target_seconds"] == 9 * 3_600
    assert f"deployment:{number}" in {moment["cause"] for moment in resolution["moments"]}


def _metrics(worker: Worker) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in worker.page("metrics").splitlines() if line.startswith("sla_"))
    return {name: float(value) for name, _, value in lines}


def _page_of(worker: Worker, number: int) -> dict[str, Any] | None:
    """The worker's page when it lists this deployment: for a second it may be an older one."""
    page: dict[str, Any] = json.loads(worker.page("?format=json"))
    return page if page["deployments"][0]["number"] == number and not page["deployments"][0]["remaining_tickets"] else None


def test_a_worker_refuses_tickets_whose_log_of_deployments_was_deleted(broker: str, topics: Topics, tmp_path: Path) -> None:
    with Worker(broker, topics, tmp_path).ready():
        _open_tickets(broker, topics)

    policy_log = PolicyLog({"bootstrap_servers": broker}, topics)
    found = asyncio.run(policy_log.read())
    export = tmp_path / "export.jsonl"
    export.write_bytes(b"".join(export_line(found.log.entries[number], value) for number, value in found.values.items()))
    asyncio.run(recreate_policies(broker, topics))

    with Worker(broker, topics, tmp_path) as worker:
        assert worker.process.wait(90) != 0
        assert "is empty, and" in worker.log.read_text("utf-8")

    asyncio.run(policy_log.restore(read_export_records(export)))
    with Worker(broker, topics, tmp_path).ready():
        assert len(effects(broker, topics)) >= TICKETS


async def recreate_policies(broker: str, topics: Topics) -> None:
    """The topic of deployments as after a loss: it is there, and empty."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        await admin.delete_topics([topics.policies])
        await asyncio.sleep(1)
    finally:
        await admin.close()
    await create(broker, topics, partitions=4)


def test_an_undo_takes_back_the_breaches_that_only_the_mistake_made(broker: str, topics: Topics, tmp_path: Path) -> None:
    with Worker(broker, topics, tmp_path).ready() as worker:
        _open_tickets(broker, topics)
        mistaken = now() + SECOND
        _deploy(broker, topics, tmp_path, SHORT, at=mistaken)
        until(lambda: len(_of(effects(broker, topics), Kind.BREACHED)) == TICKETS, "the mistake breaches", worker)

        number = _deploy(broker, topics, tmp_path, POLICY, at=mistaken, kind=DeploymentKind.UNDO)
        taken_back = until(
            lambda: len(found := _of(effects(broker, topics), Kind.BREACH_RETRACTED)) >= TICKETS and found,
            "it is undone",
            worker,
        )

    emitted = effects(broker, topics)
    assert Counter(each.effect.retracts for each in taken_back) == Counter(
        each.effect.id for each in _of(emitted, Kind.BREACHED)
    )
    assert {(each.effect.reason, each.effect.deployment) for each in taken_back} == {(Reason.REJUDGED, number)}
    retracted = {each.effect.retracts for each in emitted if each.effect.retracts}
    left = [each.effect for each in emitted if each.effect.id not in retracted and not each.effect.retracts]
    assert {effect.kind for effect in left} == {Kind.STARTED}


@pytest.mark.parametrize("failpoint", ["before_outputs", "in_outputs", "after_outputs", "after_changelog"])
def test_a_worker_that_dies_in_a_sweep_loses_and_repeats_nothing(
    broker: str, topics: Topics, tmp_path: Path, failpoint: str
) -> None:
    with Worker(broker, topics, tmp_path).ready():
        opened = _open_tickets(broker, topics)
    number = _deploy(broker, topics, tmp_path, LONGER, at=now())
    with Worker(broker, topics, tmp_path, failpoint=failpoint) as dying:
        assert dying.process.wait(90) != 0

    with Worker(broker, topics, tmp_path).ready() as worker:
        late = event("desk/0", "comment.added", opened + 1, actor="agent", public=True)
        publish(broker, topics, [sent("desk/0", late)])
        until(lambda: len(_of(effects(broker, topics), Kind.RETARGETED)) >= TICKETS, "deadlines move", worker)
        until(lambda: _of(effects(broker, topics), Kind.MET, "first_response"), "the late answer is known", worker)

    emitted = effects(broker, topics)
    assert Counter(each.effect.ticket for each in _of(emitted, Kind.RETARGETED)) == {f"desk/{one}": 1 for one in range(TICKETS)}
    assert {each.effect.deployment for each in _of(emitted, Kind.RETARGETED)} == {number}
    assert max(Counter(each.effect.id for each in emitted).values()) == 1
