"""``breachwatch deploy`` on a real broker: what it shows, what it refuses, what is in force afterwards."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from stream.cli import deploy as module
from stream.cli.main import main
from stream.deployments.export import read_export
from stream.deployments.record import FORM, DeploymentKind, encode_record, new_record
from stream.runtime.kafka.policy_log import PolicyLog, ReadLog
from stream.runtime.rehearsal import rehearse
from stream.sla.effects import Kind
from stream.testing import event
from stream.wire.effect import encode_event, encode_tick
from stream.wire.instants import format_instant, parse_instant
from tests.broker.running import POLICY as WORKERS_POLICY
from tests.broker.running import Worker, effects, now, publish, sent, until
from tests.broker.test_deployments_on_a_broker import recreate_policies
from tests.broker.test_policy_log import put
from tests.unit.deployments.sets import HOUR, START, target_of, with_target

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from stream.runtime.kafka.topics import Topics

POLICY = """
policies:
  - policy: desk
    version: 1
    applies_to: always
    calendar: 24x7
    commitments: [{metric: resolution, target: %s}]
"""
ANY = ("--accept-breaches", "any")


class Desk:
    """An installation, and a folder with its files."""

    def __init__(self, broker: str, topics: Topics, folder: Path) -> None:
        self.broker = broker
        self.folder = folder
        self.log = PolicyLog({"bootstrap_servers": broker}, topics)
        self._where = {
            "BREACHWATCH_BROKER": broker,
            "BREACHWATCH_APP_ID": topics.app_id,
            "BREACHWATCH_TOPIC_PREFIX": topics.prefix,
        }

    def policy(self, target: str) -> str:
        """A file with a target for the resolution."""
        file = self.folder / f"{target}.yaml"
        file.write_text(POLICY % target, "utf-8")
        return str(file)

    def deploy(self, *args: str) -> Result:
        return CliRunner().invoke(main, ["deploy", *args], env=self._where)

    def deployed(self, *targets: str) -> None:
        """Deploy one set after the other."""
        for target in targets:
            assert self.deploy(self.policy(target), *ANY).exit_code == 0

    def read(self) -> ReadLog:
        return asyncio.run(self.log.read())

    def targets(self) -> list[str]:
        """The targets along the timeline."""
        deployments = self.read().log.deployments
        assert deployments is not None
        return [target_of(deployment.policies) for deployment in deployments.timeline.deployments]

    def feed(self, *, hours: int) -> str:
        """A feed of two tickets: one is as old as the feed, the other two hours old at its end."""
        lines = [encode_event("old", event(1, START, "ticket.created"))]
        lines.append(encode_event("new", event(2, START + (hours - 2) * HOUR, "ticket.created")))
        lines.append(b"no event")
        lines.append(encode_tick("story", START + hours * HOUR))
        file = self.folder / "feed.jsonl"
        file.write_bytes(b"".join(line + b"\n" for line in lines))
        return str(file)


@pytest.fixture
def desk(broker: str, topics: Topics, tmp_path: Path) -> Desk:
    return Desk(broker, topics, tmp_path)


def test_the_first_deployment_needs_no_count_and_holds_for_all_time(desk: Desk) -> None:
    result = desk.deploy(desk.policy("8h"), "--by", "desk-lead", "--note", "opening")

    assert (result.exit_code, result.stdout) == (
        0,
        "the first deployment: 1 policy\ndeployed as number 0, in force for all time\n",
    )
    (entry,) = desk.read().log.entries.values()
    assert (entry.by, entry.note, entry.kind) == ("desk-lead", "opening", DeploymentKind.DEPLOY)


def test_the_difference_is_shown_and_holds_a_few_seconds_from_now(desk: Desk) -> None:
    desk.deployed("8h")
    before = time.time_ns() // 1_000

    result = desk.deploy(desk.policy("4h"), *ANY)

    assert result.exit_code == 0
    assert "commitment resolution, target: 8h -> 4h" in result.stdout
    assert "warning: target-shortened" in result.stdout
    last = desk.read().log.last
    assert last is not None
    assert before + 5_000_000 <= last.at <= time.time_ns() // 1_000 + 5_000_000
    assert f"deployed as number 1, in force from {format_instant(last.at)} on\n" in result.stdout


def test_a_dry_run_shows_the_same_and_deploys_nothing(desk: Desk) -> None:
    desk.deployed("8h")

    result = desk.deploy(desk.policy("4h"), "--dry-run", *ANY)

    assert result.exit_code == 3
    assert "target: 8h -> 4h" in result.stdout
    assert desk.targets() == ["8h"]


def test_where_nothing_changes_nothing_is_deployed(desk: Desk) -> None:
    desk.deployed("8h")

    result = desk.deploy(desk.policy("8h"))

    assert (result.exit_code, result.stdout) == (0, "nothing changes: these policies are in force\n")
    assert desk.deploy(desk.policy("8h"), "--dry-run").exit_code == 0
    assert desk.read().end == 1


def test_nothing_is_deployed_that_nobody_counted(desk: Desk) -> None:
    desk.deployed("8h")

    result = desk.deploy(desk.policy("4h"))

    assert result.exit_code == 4
    assert "refused: it is not known how many open deadlines would breach at once" in result.stderr
    assert desk.targets() == ["8h"]


def test_more_breaches_than_are_accepted_are_refused_with_examples(desk: Desk) -> None:
    desk.deployed("8h")
    feed = desk.feed(hours=6)

    refused = desk.deploy(desk.policy("4h"), "--against", feed)

    assert refused.exit_code == 4
    assert f"open tickets as of {format_instant(START + 6 * HOUR)}: 2; affected: 2\n1 breach\n" in refused.stdout
    assert "    old: resolution, commitment.breached (retargeted_past_due)" in refused.stdout
    assert "refused: open deadlines that would breach at once: 1; accepted: 0; " in refused.stderr
    assert desk.targets() == ["8h"]

    accepted = desk.deploy(desk.policy("4h"), "--against", feed, "--accept-breaches", "1")

    assert accepted.exit_code == 0
    assert desk.targets() == ["8h", "4h"]


def test_what_breaches_nothing_is_deployed_without_more(desk: Desk) -> None:
    desk.deployed("4h")

    result = desk.deploy(desk.policy("8h"), "--against", desk.feed(hours=3))

    assert result.exit_code == 0
    assert "2 move\n" in result.stdout
    assert "lines of the feed that are not valid events: 1\n" in result.stdout


def test_running_workers_count_their_own_open_tickets(desk: Desk, topics: Topics) -> None:
    folder = desk.folder / "workers"
    with Worker(desk.broker, topics, folder).ready() as first, Worker(desk.broker, topics, folder) as second:
        until(lambda: first.owns_some() and second.owns_some() and first.readies() > 1, "both own partitions", second)
        at = now()
        opened = [(f"desk/{number}", event(number, at, "ticket.created", fields={"priority": "p1"})) for number in range(12)]
        publish(desk.broker, topics, [sent(ticket, what) for ticket, what in opened])
        until(lambda: len(effects(desk.broker, topics)) >= 24, "every ticket has its deadlines", first)
        (folder / "short.yaml").write_text(WORKERS_POLICY.replace("p1: 8h", "p1: 1s"), "utf-8")
        short, ask = str(folder / "short.yaml"), ("--ask", first.url())

        refused = desk.deploy(short, *ask, "--json")
        accepted = desk.deploy(short, *ask, "--accept-breaches", "12")
        breached = until(
            lambda: (
                len(found := [each for each in effects(desk.broker, topics) if each.effect.kind is Kind.BREACHED]) >= 12
                and found
            ),
            "they breach",
            first,
        )

    impact = json.loads(refused.stdout)["impact"]
    assert (refused.exit_code, impact["open"], impact["touches"]["breaches"]) == (4, 12, 12)
    assert accepted.exit_code == 0
    assert {each.effect.ticket for each in breached} == {ticket for ticket, _ in opened}


def test_a_worker_that_does_not_answer_refuses_the_count(desk: Desk) -> None:
    desk.deployed("8h")

    result = desk.deploy(desk.policy("4h"), "--ask", "http://127.0.0.1:1")

    assert result.exit_code == 1
    assert "http://127.0.0.1:1/?format=json: no answer from this worker" in result.stderr
    assert desk.targets() == ["8h"]


def test_every_problem_of_a_file_is_shown_before_the_broker_is_asked(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(POLICY % "4x", "utf-8")

    result = CliRunner().invoke(main, ["deploy", str(file), "--broker", "127.0.0.1:1"])

    assert result.exit_code == 1
    assert f"{file}:7: policies[0].commitments[0].target: " in result.stderr


def test_an_error_of_the_step_is_refused_whatever_is_accepted(desk: Desk) -> None:
    desk.deployed("8h")
    file = desk.folder / "second.yaml"
    file.write_text((POLICY % "4h").replace("version: 1", "version: 2"), "utf-8")

    result = desk.deploy(str(file), *ANY)

    assert result.exit_code == 4
    assert "error: version-without-since" in result.stdout
    assert "refused: the step has 1 error, listed above" in result.stderr


def test_an_undo_puts_the_policies_from_before_in_force_again_from_the_same_instant_on(desk: Desk) -> None:
    desk.deployed("8h", "4m")
    mistake = desk.read().log.last

    result = desk.deploy("--undo", *ANY)

    assert result.exit_code == 0
    assert mistake is not None
    assert f"takes the place of deployment 1, in force from {format_instant(mistake.at)} on" in result.stdout
    assert desk.targets() == ["8h", "8h"]
    assert desk.read().log.entries[2].at == mistake.at


def test_the_first_deployment_cannot_be_undone(desk: Desk) -> None:
    desk.deployed("8h")

    result = desk.deploy("--undo", *ANY)

    assert result.exit_code == 1
    assert "deployment 0 is the first" in result.stderr


def test_judging_anew_takes_the_place_of_what_came_after(desk: Desk) -> None:
    desk.deployed("8h", "4m", "2h")

    result = desk.deploy(desk.policy("6h"), "--rejudge-from", "2026-01-01T00:00:00Z", *ANY)

    assert result.exit_code == 0
    assert "takes the place of deployment 1, " in result.stdout
    assert "takes the place of deployment 2, " in result.stdout
    assert desk.targets() == ["8h", "6h"]


def test_where_the_feed_is_the_clock_it_determines_from_when_on(desk: Desk) -> None:
    event_clock = ("--clock", "event", *ANY)
    assert desk.deploy(desk.policy("8h"), *event_clock, "--at", "2020-01-01T00:00:00Z").exit_code == 0
    assert desk.deploy(desk.policy("4h"), *event_clock, "--at", "2020-03-01T00:00:00Z").exit_code == 0

    earlier = desk.deploy(desk.policy("2h"), *event_clock, "--at", "2020-02-01T00:00:00Z")

    assert earlier.exit_code == 2
    assert "deployment 1 holds from 2020-03-01T00:00:00Z on" in earlier.stderr
    last = desk.read().log.last
    assert last is not None
    assert last.at == parse_instant("2020-03-01T00:00:00Z")


def test_a_deployment_from_a_clock_that_was_ahead_is_warned_of_and_can_be_replaced(desk: Desk) -> None:
    desk.deployed("8h")
    ahead = time.time_ns() // 1_000 + 9 * HOUR
    asyncio.run(desk.log.append(new_record(0, ahead, DeploymentKind.DEPLOY, with_target("4m"))))

    warned = desk.deploy(desk.policy("4h"), *ANY, "--dry-run")
    replaced = desk.deploy(desk.policy("4h"), *ANY, "--rejudge-from", format_instant(time.time_ns() // 1_000_000 * 1_000))

    assert f"warning: deployment 1 holds from {format_instant(ahead)} on, which is in the future" in warned.stderr
    assert replaced.exit_code == 0
    assert desk.targets() == ["8h", "4h"]


def test_who_was_overtaken_is_informed_and_nothing_of_theirs_is_in_force(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.deployed("8h")
    objections = module._objections

    def meanwhile(*args: Any) -> Any:
        """Another deployment comes in after the log was read."""
        asyncio.run(desk.log.append(new_record(0, START, DeploymentKind.DEPLOY, with_target("6h"))))
        return objections(*args)

    monkeypatch.setattr(module, "_objections", meanwhile)

    result = desk.deploy(desk.policy("4h"), *ANY)

    assert result.exit_code == 1
    assert "nothing was deployed, because another deployment came first: record 2" in result.stderr
    assert "deployed as number" not in result.stdout
    assert desk.targets() == ["8h", "6h"]


def test_it_holds_from_after_the_append_however_long_the_count_took(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.deployed("8h")

    def slowly(*args: Any) -> Any:
        time.sleep(6)
        return rehearse(*args)

    monkeypatch.setattr(module, "rehearse", slowly)

    assert desk.deploy(desk.policy("4h"), "--against", desk.feed(hours=3)).exit_code == 0

    last = desk.read().log.last
    assert last is not None
    assert last.at > last.appended + 3_000_000


def test_without_a_deployment_there_is_nothing_to_export(desk: Desk) -> None:
    result = desk.deploy("--export", str(desk.folder / "deployments.jsonl"))

    assert (result.exit_code, "nothing was ever deployed" in result.stderr) == (1, True)


def test_an_export_that_cannot_be_written_is_reported(desk: Desk) -> None:
    desk.deployed("8h")

    result = desk.deploy("--export", str(desk.folder / "missing" / "deployments.jsonl"))

    assert result.exit_code == 1
    assert "missing/deployments.jsonl cannot be written: No such file or directory" in result.stderr


def test_an_export_is_read_as_the_same_deployments(desk: Desk) -> None:
    desk.deployed("8h", "4h")
    file = desk.folder / "deployments.jsonl"

    result = desk.deploy("--export", str(file))

    assert (result.exit_code, result.output) == (0, "")
    deployments = read_export(file)
    assert [(each.number, each.at, target_of(each.policies)) for each in deployments.timeline.deployments] == [
        (entry.number, entry.at, target) for entry, target in zip(desk.read().log.entries.values(), ("8h", "4h"), strict=True)
    ]


def test_all_deployments_are_listed(desk: Desk) -> None:
    desk.deployed("8h")
    desk.deploy(desk.policy("4h"), *ANY, "--by", "desk-lead", "--note", "shorter")

    first, second = desk.deploy("--list").output.splitlines()

    entries = desk.read().log.entries
    assert first == f"0: deploy, policies {entries[0].fingerprint}, in force for all time"
    since = format_instant(entries[1].at)
    assert second == f"1: deploy, policies {entries[1].fingerprint}, in force from {since} on by desk-lead: shorter"


def test_json_has_all_of_it_for_machines(desk: Desk) -> None:
    desk.deployed("8h")

    result = desk.deploy(desk.policy("4h"), "--against", desk.feed(hours=6), "--json", "--accept-breaches", "1")

    report = json.loads(result.stdout)
    assert (report["kind"], report["changes"], report["deployed"], report["refused"]) == ("deploy", True, 1, [])
    assert report["difference"]["different"]
    assert report["impact"]["touches"] == {"breaches": 1, "moves": 2}
    assert report["impact"]["examples"]["breaches"][0]["ticket"] == "old"


def test_poison_is_warned_of_and_stops_no_deployment(desk: Desk) -> None:
    desk.deployed("8h")
    asyncio.run(put(desk.broker, desk.log.topic, b"poison"))

    result = desk.deploy(desk.policy("4h"), *ANY)

    assert result.exit_code == 0
    assert "warning: record 1 of the log of deployments: the record is not a deployment; it is void" in result.stderr
    assert desk.targets() == ["8h", "4h"]


def test_a_record_of_a_newer_release_stops_every_deployment(desk: Desk) -> None:
    newer = bytes([FORM + 1]) + encode_record(new_record(-1, START, DeploymentKind.DEPLOY, with_target("8h")))[1:]
    asyncio.run(put(desk.broker, desk.log.topic, newer))

    result = desk.deploy(desk.policy("4h"), *ANY)

    assert result.exit_code == 1
    assert "run `pip install --upgrade breachwatch`" in result.stderr


def test_without_the_topic_the_command_that_makes_it_is_named(broker: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["deploy", "starter", "--broker", broker, "--app-id", "nowhere"])

    assert result.exit_code == 1
    assert "topic nowhere-policies is missing: run `breachwatch topics create" in result.stderr


def test_a_log_that_was_lost_is_brought_back_from_its_export(desk: Desk, topics: Topics) -> None:
    desk.deployed("8h")
    asyncio.run(put(desk.broker, topics.policies, b"?"))
    desk.deployed("4h")
    file = desk.folder / "export.jsonl"
    assert desk.deploy("--export", str(file)).exit_code == 0
    before = desk.read()
    refused = desk.deploy("--import", str(file))
    asyncio.run(recreate_policies(desk.broker, topics))

    imported = desk.deploy("--import", str(file))

    assert (refused.exit_code, "is not empty: it has 3 records" in refused.stderr) == (1, True)
    assert (imported.exit_code, len(imported.stdout.splitlines())) == (0, 2), imported.output
    assert desk.read().log.entries == before.log.entries
    assert desk.targets() == ["8h", "4h"]
    assert desk.deploy(desk.policy("2h"), *ANY).exit_code == 0


def test_everything_is_withdrawn_only_on_purpose(desk: Desk) -> None:
    desk.deployed("8h")
    nothing = desk.folder / "nothing.yaml"
    nothing.write_text("policies: []\n", "utf-8")

    assert desk.deploy(str(nothing), *ANY).exit_code == 1
    result = desk.deploy("--withdraw-all", *ANY)

    assert result.exit_code == 0, result.output
    assert "policy-withdrawn" in result.stdout
    assert desk.read().log.deployed(1).policies == ()


def test_the_newest_version_is_removed_only_on_purpose(desk: Desk) -> None:
    second = desk.folder / "second.yaml"
    text = POLICY % "8h"
    later = text.split("policies:")[1].replace("version: 1", "version: 2\n    since: 2026-01-01")
    second.write_text(text + later, "utf-8")
    assert desk.deploy(str(second)).exit_code == 0

    refused = desk.deploy(desk.policy("8h"), *ANY)
    accepted = desk.deploy(desk.policy("8h"), *ANY, "--accept", "version-stays-in-force")

    assert refused.exit_code == 4, refused.output
    assert "accept with --accept version-stays-in-force" in refused.stderr
    assert accepted.exit_code == 0, accepted.output
