"""Ordinary edits of a policy file, deployed while a ticket is open: no edit stops the engine, and each has one result."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from stream.language.policies import load
from stream.sla.codec import codec
from stream.sla.engine import Engine
from stream.sla.policy.timeline import Deployments
from stream.wire.decode import read
from stream.wire.incoming import Incoming
from stream.wire.instants import format_instant, parse_instant

if TYPE_CHECKING:
    from pathlib import Path

    from stream.sla.events import Event
    from stream.sla.policy.resolve import PolicySet
    from stream.sla.ticket.state import State

BASE = """
calendars:
  office: {timezone: Europe/Berlin, week: {mon-fri: ["09:00-17:00"]}}
metrics:
  approval: {starts: ticket_created, stops: {approval: granted}}
policies:
  - policy: acme
    version: 1
    applies_to: {customer: acme}
    calendar: office
    commitments:
      - {metric: first_response, target: 4bh, warn_at: 75%}
      - {metric: resolution, target: 2bd, warn_at: 75%}
      - {metric: approval, target: 1bd}
"""
FIRST, FIX, APPROVAL = (
    ("breached", "first_response", "2026-03-02T13:00:00Z"),
    ("breached", "resolution", "2026-03-04T09:00:00Z"),
    ("breached", "approval", "2026-03-03T09:00:00Z"),
)
EDITS = {
    "rename": (
        BASE.replace("{metric: first_response, target", "{metric: first_response, name: fr, target"),
        {("cancelled", "first_response", FIRST[2]), ("breached", "fr", FIRST[2]), FIX, APPROVAL},
    ),
    "remove": (
        BASE.replace("      - {metric: first_response, target: 4bh, warn_at: 75%}\n", ""),
        {("cancelled", "first_response", FIRST[2]), FIX, APPROVAL},
    ),
    "narrow": (
        BASE.replace("{customer: acme}", "{customer: acme, contract: gold}"),
        {("cancelled", commitment, due) for _, commitment, due in (FIRST, FIX, APPROVAL)},
    ),
    "another policy in front": (
        BASE.replace(
            "  - policy: acme",
            "  - policy: one\n    version: 1\n    applies_to: {priority: p2}\n    calendar: office\n    commitments:\n"
            "      - {metric: resolution, target: 2bd}\n  - policy: acme",
        ),
        {("cancelled", commitment, due) for _, commitment, due in (FIRST, APPROVAL)} | {FIX},
    ),
    "rename calendar": (BASE.replace("office", "desk"), {FIRST, FIX, APPROVAL}),
    "first version deleted": (BASE.replace("version: 1", "version: 2\n    since: 2026-06-01"), {FIRST, FIX, APPROVAL}),
    "holiday": (
        BASE.replace('["09:00-17:00"]}', '["09:00-17:00"]}, exceptions: [{date: 2026-03-03, closed: true}]'),
        {FIRST, ("breached", "resolution", "2026-03-05T09:00:00Z"), ("breached", "approval", "2026-03-04T09:00:00Z")},
    ),
}


def policies(folder: Path, text: str) -> PolicySet:
    file = folder / "policy.yaml"
    file.write_text(text, "utf-8")
    return load([str(file)])


def event(**facts: object) -> Event:
    found = read(json.dumps({"source": "desk", "ticket": "desk/1", **facts}).encode())
    assert isinstance(found, Incoming)
    return found.event


def opened(log: Deployments) -> State:
    created = event(
        type="ticket.created",
        id="1",
        at="2026-03-02T10:00:00+01:00",
        actor={"kind": "customer"},
        fields={"customer": "acme", "priority": "p2"},
    )
    return codec.decode(codec.encode(Engine(log).apply(None, "desk/1", created, 0).state))


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_leaves_each_open_commitment_with_one_outcome(tmp_path: Path, edit: str) -> None:
    text, outcomes = EDITS[edit]
    log = Deployments.fixed(policies(tmp_path, BASE))
    deployed = Engine(log.add(1, parse_instant("2026-03-02T11:00:00Z"), policies(tmp_path, text)))

    effects = deployed.wake(opened(log), parse_instant("2026-03-20T00:00:00Z")).effects

    decided = [effect for effect in effects if effect.kind.value in ("commitment.breached", "commitment.cancelled")]
    assert {
        (one.kind.value.removeprefix("commitment."), one.commitment, format_instant(one.due_at))
        for one in decided
        if one.due_at
    } == outcomes
    assert len(decided) == len(outcomes)


def test_a_late_answer_takes_a_breach_back_that_is_older_than_a_longer_target(tmp_path: Path) -> None:
    log = Deployments.fixed(policies(tmp_path, BASE))
    breached = Engine(log).wake(opened(log), parse_instant("2026-03-02T14:00:00Z")).state
    longer = BASE.replace("target: 4bh", "target: 8bh")
    later = Engine(log.add(1, parse_instant("2026-03-03T00:00:00Z"), policies(tmp_path, longer)))
    deployed = later.wake(breached, parse_instant("2026-03-03T00:00:01Z"))
    answer = event(type="comment.added", id="2", at="2026-03-02T12:30:00+01:00", actor={"kind": "agent"}, public=True)

    corrected = later.apply(deployed.state, "desk/1", answer, 0).effects

    assert deployed.effects == ()
    assert [effect.kind.value for effect in corrected] == [
        "commitment.retracted",
        "commitment.breach_retracted",
        "commitment.met",
    ]
