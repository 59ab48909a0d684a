"""An account that lacks one permission: whoever starts a worker or a command reads which, and what grants it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from stream.runtime.kafka.denied import Operation
from stream.runtime.kafka.permissions import missing_permissions
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics
from tests.broker.guarded_broker import PASSWORD, GuardedBroker, Resource, Right, of_a_worker
from tests.broker.running import event, now, publish, sent, until

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
STREAM = [sys.executable, "-m", "stream"]


@pytest.fixture(scope="module")
def guarded() -> Iterator[GuardedBroker]:
    with GuardedBroker() as broker:
        yield broker


def installation(broker: GuardedBroker) -> Topics:
    topics = Topics("desk", f"{uuid4().hex[:8]}.")
    asyncio.run(create(broker.bootstrap, topics, partitions=1))
    return topics


def settings(topics: Topics, account: dict[str, str]) -> dict[str, str]:
    names = {"BREACHWATCH_APP_ID": topics.app_id, "BREACHWATCH_TOPIC_PREFIX": topics.prefix, "BREACHWATCH_PARTITIONS": "1"}
    return {**os.environ, **account, **names}


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*STREAM, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=90, check=False
    )


def granting(right: Right) -> str:
    return f"--operation {right.operation.named} --{right.resource.name.lower().replace('_', '-')} {right.name}`"


def test_each_permission_on_topics_and_the_group_is_found_to_be_missing_and_no_other(guarded: GuardedBroker) -> None:
    topics = installation(guarded)
    for number, right in enumerate(of_a_worker(topics, 0)):
        rights = of_a_worker(topics, 0)
        del rights[number]
        account = guarded.account(rights)
        client = {
            "bootstrap_servers": guarded.guarded,
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": account["BREACHWATCH_SASL_USERNAME"],
            "sasl_plain_password": PASSWORD,
        }
        found = asyncio.run(missing_permissions(guarded.guarded, topics, client))
        if right == Right(Operation.WRITE, Resource.TOPIC, topics.policies):
            assert found == []  # only the first worker writes to it
        else:
            assert [line for line in found if granting(right) in line], (right, found)
            assert len(found) == 1


def test_a_worker_without_a_permission_does_not_start(guarded: GuardedBroker) -> None:
    topics = installation(guarded)
    lacking = Right(Operation.WRITE, Resource.TOPIC, topics.escalations)
    account = guarded.account(right for right in of_a_worker(topics, 1) if right != lacking)

    done = run(settings(topics, account), "worker", "--policies", "starter", "--metrics-port", "0")

    assert done.returncode == 2
    assert "the account may not do what a worker does" in done.stderr
    assert f"the account lacks the permission Write on topic {topics.escalations}: grant it with `kafka-acls.sh" in done.stderr
    assert PASSWORD not in done.stderr


@pytest.mark.parametrize("lacking", [Resource.TRANSACTIONAL_ID, Resource.TOPIC])
def test_what_only_a_write_can_show_is_named_when_it_is_tried(guarded: GuardedBroker, lacking: Resource) -> None:
    topics = installation(guarded)
    right = {
        Resource.TRANSACTIONAL_ID: Right(Operation.WRITE, lacking, topics.transactional_id(0)),
        Resource.TOPIC: Right(Operation.WRITE, lacking, topics.policies),
    }[lacking]
    account = guarded.account(each for each in of_a_worker(topics, 1) if each != right)

    done = run(settings(topics, account), "worker", "--policies", "starter", "--metrics-port", "0")

    assert done.returncode == (70 if lacking is Resource.TRANSACTIONAL_ID else 2)
    assert granting(right) in done.stderr


def test_an_account_with_exactly_these_permissions_runs_a_worker(guarded: GuardedBroker, tmp_path: Path) -> None:
    topics = installation(guarded)
    publish(guarded.bootstrap, topics, [sent("shop/1", event("shop/1", "ticket.created", now()))])
    log = tmp_path / "log"
    environment = settings(topics, guarded.account(of_a_worker(topics, 1)))
    for _ in range(2):  # the second reads back what the first has published
        with log.open("wb") as output:
            command = [*STREAM, "worker", "--policies", "starter", "--metrics-port", "0"]
            worker = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=output, stderr=output)
        try:
            until(lambda: f"ready: {topics.group}, partitions 0" in log.read_text("utf-8"), "it is ready")
        finally:
            worker.terminate()
            assert worker.wait() == 0


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        (["topics", "check"], Operation.DESCRIBE_CONFIGS),
        (["publish", "feed.jsonl"], Operation.WRITE),
        (["deploy", "starter", "--accept-breaches", "any"], Operation.WRITE),
        (["deploy", "--list"], Operation.READ),
    ],
)
def test_a_command_names_the_permission_that_it_lacks(
    guarded: GuardedBroker, tmp_path: Path, command: list[str], missing: Operation
) -> None:
    topics = installation(guarded)
    feed = tmp_path / "feed.jsonl"
    feed.write_text('{"type": "feed.tick", "source": "desk", "at": "2026-01-01T00:00:00Z"}\n', "utf-8")
    of = topics.policies if command[0] == "deploy" else topics.events
    rights = [*of_a_worker(topics, 1), Right(Operation.WRITE, Resource.TOPIC, topics.events)]
    lacking = Right(missing, Resource.TOPIC, of)
    account = guarded.account(right for right in rights if right != lacking)
    if command == ["deploy", "--list"]:
        deployed = run(settings(topics, guarded.account(rights)), "deploy", "starter", "--accept-breaches", "any")
        assert deployed.returncode == 0, deployed.stderr

    done = run(settings(topics, account), *(str(feed) if word == "feed.jsonl" else word for word in command))

    assert done.returncode == 1
    assert granting(lacking) in done.stderr


def test_a_gateway_without_a_permission_does_not_start(guarded: GuardedBroker) -> None:
    topics = installation(guarded)
    both = (topics.events, topics.feed_rejected)
    rights = [Right(each, Resource.TOPIC, name) for name in both for each in (Operation.WRITE, Operation.DESCRIBE_CONFIGS)]
    lacking = Right(Operation.WRITE, Resource.TOPIC, topics.feed_rejected)
    account = guarded.account(right for right in rights if right != lacking)

    done = run(settings(topics, account), "gateway", "--feed", "app=events", "--metrics-port", "0", "--listen", "127.0.0.1:0")

    assert done.returncode == 2
    assert "the account may not do what a gateway does" in done.stderr
    assert granting(lacking) in done.stderr
