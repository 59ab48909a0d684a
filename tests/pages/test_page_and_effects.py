"""The page of a ticket shows what the effects of the ticket reported, whatever is deployed and whatever its clocks do.

Every edit meets a ticket in every state. The worker knows the deployment before it holds, or only hours afterwards.
"""

from __future__ import annotations

import json
import re
from html import unescape
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from stream.language.policies import load
from stream.observe.pages import page_ticket, pages_json
from stream.observe.pages.views import TicketView
from stream.runtime.viewer import Viewer
from stream.sla.effects import KINDS, Effect, Kind, Reason
from stream.sla.engine import Engine
from stream.sla.policy.timeline import Deployments
from stream.testing import event, instant
from stream.wire.instants import format_instant
from tests.unit.runtime.viewed import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stream.sla.events import Event
    from stream.sla.policy.resolve import PolicySet
    from stream.sla.ticket.state import State

POLICY: Final = """
calendars:
  office: {timezone: Europe/Berlin, week: {mon-fri: ["09:00-17:00"]}, day: 8h}
  always: {timezone: UTC, week: {mon-sun: ["00:00-24:00"]}}
policies:
  - policy: desk
    version: 1
    applies_to: always
    calendar: office
    commitments:
      - {metric: first_response, target: 1bd}
      - {metric: resolution, target: {p1: 8bh, default: 3bd}, warn_at: 50%}
    escalations:
      - ladder: late
        kind: hierarchical
        on: resolution
        monitoring: 1bd
        levels:
          - {level: lead, notify: [lead], at: 25%}
          - {level: head, notify: [head], at: "+1h"}
"""
EDITS: Final = {
    "shorter hours": ('["09:00-17:00"]', '["09:00-15:00"]'),
    "longer hours": ('["09:00-17:00"]', '["07:00-21:00"]'),
    "a holiday": ("day: 8h", "day: 8h, holidays: [{date: 2026-11-17}]"),
    "another zone": ("Europe/Berlin", "Asia/Kolkata"),
    "another length of a day": ("day: 8h", "day: 4h"),
    "another calendar": ("calendar: office", "calendar: always"),
    "a shorter target": ("p1: 8bh", "p1: 2bh"),
    "a longer target": ("p1: 8bh", "p1: 20bh"),
    "a target on the other clock": ("p1: 8bh", "p1: 30h"),
    "other warnings": ("warn_at: 50%", "warn_at: [20%, 90%]"),
    "a commitment that is gone": ("      - {metric: first_response, target: 1bd}\n", ""),
    "a new commitment": (
        "      - {metric: first_response,",
        "      - {metric: next_response, target: 2bh}\n      - {metric: first_response,",
    ),
    "a new commitment that is past": (
        "      - {metric: first_response,",
        "      - {metric: agent_work, target: 10m}\n      - {metric: first_response,",
    ),
    "a renamed commitment": ("{metric: first_response,", "{name: answer, was: first_response, metric: first_response,"),
    "a renamed commitment without was": ("{metric: first_response,", "{name: answer, metric: first_response,"),
    "a renamed policy": ("policy: desk", "policy: service\n    was: desk"),
    "a policy under another name": ("policy: desk", "policy: service"),
    "own conditions": ("{metric: first_response,", "{metric: first_response, pauses: {status: [open]},"),
    "a new version for new clocks": ("version: 1", "version: 2\n    since: 2026-11-30T00:00:00+01:00"),
    "a new version for old clocks": ("version: 1", "version: 2\n    since: 2026-11-01T00:00:00+01:00"),
    "a ladder that is gone": (POLICY[POLICY.index("    escalations:") :], ""),
    "other levels": ("at: 25%", "at: 75%"),
    "no monitoring": ("        monitoring: 1bd\n", ""),
    "nothing": ("", ""),
}
RENAMED: Final = {"a renamed commitment": {"first_response": "answer"}}
"""Old name to new name: the page shows what goes on under its present name, and effects have the name of their time."""
DAY: Final = "2026-11-16"
STATES: Final[dict[str, tuple[tuple[str, str, dict[str, Any]], ...]]] = {
    "running": (),
    "paused": (("11:00", "ticket.changed", {"fields": {"status": "pending"}}),),
    "resumed": (
        ("11:00", "ticket.changed", {"fields": {"status": "pending"}}),
        ("12:30", "ticket.changed", {"fields": {"status": "open"}}),
    ),
    "answered": (("10:30", "comment.added", {"actor": "agent", "public": True}),),
    "met": (("12:00", "ticket.changed", {"fields": {"status": "solved"}}),),
    "reopened": (
        ("11:00", "ticket.changed", {"fields": {"status": "solved"}}),
        ("12:00", "ticket.changed", {"fields": {"status": "open"}}),
    ),
    "acknowledged": (("13:15", "escalation.acknowledged", {"actor": "agent", "by": "lead"}),),
    "monitoring": (("13:30", "ticket.changed", {"fields": {"status": "solved"}}),),
    "closed": (
        ("11:00", "ticket.changed", {"fields": {"status": "solved"}}),
        ("11:30", "ticket.changed", {"fields": {"status": "closed"}}),
    ),
    "merged": (("12:00", "ticket.merged", {"into": "desk/2"}),),
    "restored": (("11:00", "ticket.deleted", {}), ("12:00", "ticket.restored", {})),
}
FROMS: Final = {"in the afternoon": "2026-11-16 14:00", "after the breach": "2026-11-17 10:20"}
UNTIL: Final = "2026-11-18 16:00"
HOUR: Final = 3_600_000_000


def berlin(text: str) -> int:
    return instant(text, "Europe/Berlin")


class Shown(NamedTuple):
    """What people read of one commitment in one cycle."""

    verdict: str
    due: str | None
    target: float | None
    version: int


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PolicySet]:
    """By edit: the policies after it."""
    folder: Path = tmp_path_factory.mktemp("policies")
    found = {}
    for number, (name, (old, new)) in enumerate(EDITS.items()):
        assert not old or POLICY.count(old) == 1, name
        file = folder / f"{number}.yaml"
        file.write_text(POLICY.replace(old, new) if old else POLICY, "utf-8")
        found[name] = load([file])
    return found


@pytest.fixture(scope="module")
def worker(sets: dict[str, PolicySet]) -> Iterator[Worker]:
    worker = Worker(sets["nothing"])
    yield worker
    worker.close()


class Life:
    """A ticket in a worker, with the effects that it emitted."""

    def __init__(self, worker: Worker, deployments: Deployments) -> None:
        worker.engine = Engine(deployments)
        self._worker = worker
        self._state: State | None = None
        self._effects: dict[str, Effect] = {}

    def receive(self, event_of_feed: Event) -> None:
        self._keep(self._worker.engine.apply(self._state, "desk/1", event_of_feed, event_of_feed.at))

    def deploy(self, number: int, at: int, policies: PolicySet) -> None:
        engine = self._worker.engine
        engine.deployments = engine.deployments.add(number, at, policies)

    def wake(self, until: int) -> None:
        assert self._state is not None
        self._keep(self._worker.engine.wake(self._state, until))
        self._worker.own(0).clock = lambda _: until
        assert self._state is not None
        self._worker.keep(0, "desk/1", self._state)

    def _keep(self, step: Any) -> None:
        self._state = step.state
        for effect in step.effects:
            if effect.retracts:
                del self._effects[effect.retracts]
            else:
                self._effects[effect.id] = effect

    def reported(self, renamed: dict[str, str]) -> dict[tuple[str, int], Shown]:
        """By commitment and cycle: what the effects that were not taken back come to."""
        found: dict[tuple[str, int], Shown] = {}
        for effect in sorted(self._effects.values(), key=lambda one: one.at):
            if effect.ladder or effect.kind is Kind.WARNED:
                continue
            name = renamed.get(effect.commitment, effect.commitment), effect.cycle
            verdict = found[name].verdict if name in found else "pending"
            if KINDS[effect.kind].decides:
                verdict = effect.kind.partition(".")[2]
            elif effect.reason is Reason.REOPENED:
                verdict = "breached" if verdict == "met_late" else "pending"
            elif effect.reason is Reason.RESTORED:
                verdict = "pending"
            due = None if effect.due_at is None else format_instant(effect.due_at)
            found[name] = Shown(verdict, due, None if effect.target is None else effect.target / 1e6, effect.policy_version)
        return found

    def raised(self) -> set[tuple[str, str, int]]:
        """Ladder, level and cycle of the levels that the effects report as raised."""
        raised = (Kind.RAISED, Kind.RECURRED)
        return {(one.ladder, one.level, one.cycle) for one in self._effects.values() if one.kind in raised}

    def page(self) -> dict[tuple[str, int], Shown]:
        """As ``reported``, from the ticket's page."""
        return {
            (one["commitment"], one["cycle"]): Shown(
                one["verdict"],
                one["due_at"],
                None if one["target_seconds"] is None else one["target_seconds"] + one.get("extension_seconds", 0),
                one["policy_version"],
            )
            for one in self._deadlines()
            if "ladder" not in one
        }

    def raised_on_page(self) -> set[tuple[str, str, int]]:
        """As ``raised``, from the ticket's page."""
        levels = [one for one in self._deadlines() if "ladder" in one]
        return {(one["ladder"], one["level"], one["cycle"]) for one in levels if one["verdict"] == "raised"}

    def view(self) -> TicketView:
        found = Viewer(self._worker).ticket("desk/1", frozenset(), None)  # type: ignore[arg-type]
        assert isinstance(found, TicketView)
        return found

    def _deadlines(self) -> list[dict[str, Any]]:
        deadlines: list[dict[str, Any]] = json.loads(pages_json.ticket(self.view()))["explanation"]["deadlines"]
        return deadlines


@pytest.mark.parametrize("known_late", [False, True], ids=["known before it holds", "known late"])
@pytest.mark.parametrize("since", FROMS)
@pytest.mark.parametrize("edit", EDITS)
def test_a_tickets_page_and_its_effects_agree_before_and_after_a_deployment(
    worker: Worker, sets: dict[str, PolicySet], edit: str, since: str, known_late: bool
) -> None:
    at = berlin(FROMS[since])
    different: dict[tuple[str, str], Any] = {}
    for state, happens in STATES.items():
        life = Life(worker, Deployments.fixed(sets["nothing"]))

        def compare(when: str, renamed: dict[str, str], state: str = state, life: Life = life) -> None:
            reported, shown = (life.reported(renamed), life.raised()), (life.page(), life.raised_on_page())
            if reported != shown:
                different[state, when] = reported, shown

        life.receive(event(0, berlin(f"{DAY} 10:00"), "ticket.created", fields={"status": "open", "priority": "p1"}))
        for number, (time, kind, more) in enumerate(happens, start=1):
            life.receive(event(number, berlin(f"{DAY} {time}"), kind, **more))
        life.wake(at)
        compare("before", {})
        if known_late:
            life.wake(at + HOUR)
        life.deploy(1, at, sets[edit])
        life.wake(at + HOUR + 1)
        compare("after", RENAMED.get(edit, {}))
        life.wake(berlin(UNTIL))
        compare("later", RENAMED.get(edit, {}))
        life.deploy(2, at, sets["nothing"])
        life.wake(berlin(UNTIL))
        compare("undone", {})
    assert different == {}


def test_the_page_names_the_deployment_that_changed_a_deadline(worker: Worker, sets: dict[str, PolicySet]) -> None:
    life = Life(worker, Deployments.fixed(sets["nothing"]).add(7, berlin(f"{DAY} 14:00"), sets["a longer target"]))
    life.receive(event(0, berlin(f"{DAY} 10:00"), "ticket.created", fields={"status": "open", "priority": "p1"}))
    life.wake(berlin(f"{DAY} 15:00"))

    text = unescape(re.sub(r"<[^>]*>", " ", page_ticket.render(life.view()).decode()))

    now = "policy changed, now 20:00:00, due Wed 2026-11-18 14:00 CET (deployment 7)"
    assert re.search(rf"Mon 2026-11-16 14:00 CET\s+retargeted\s+{re.escape(now)}", text)
