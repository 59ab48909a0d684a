"""A deployment on a screen and as JSON: what changes, from when on, and what it does to open tickets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from stream.deployments.impact import Impact, Touch
from stream.deployments.plan import plan_lines
from stream.deployments.plan_json import plan_json
from stream.sla.policy.timeline import SINCE_EVER
from stream.wire.instants import format_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stream.deployments.impact import Example
    from stream.deployments.log import Entry
    from stream.deployments.proposal import Proposal
    from stream.runtime.rehearsal import Rehearsal

_WORDS = {
    Touch.BREACHES: "breach",
    Touch.ESCALATES: "escalate",
    Touch.MOVES: "move",
    Touch.BEGINS: "begin",
    Touch.ENDS: "end",
    Touch.TAKES_BACK: "are taken back",
    Touch.OTHER: "other effects",
}


@dataclass(frozen=True, slots=True)
class Report:
    """All that there is to report about a deployment."""

    proposal: Proposal
    rehearsal: Rehearsal | None
    refused: tuple[str, ...]
    """Why it must not be deployed."""

    def lines(self) -> Iterator[str]:
        proposal = self.proposal
        if proposal.changes_nothing:
            yield "nothing changes: these policies are in force"
            return
        if proposal.difference is None:
            count = len({policy.name for policy in proposal.policies.policies})
            yield f"the first deployment: {count} {'policies' if count != 1 else 'policy'}"
        else:
            yield from plan_lines(proposal.difference)
        for entry in proposal.replaced:
            yield f"takes the place of deployment {entry.number}, {since(entry.at)}"
        if self.rehearsal is not None:
            yield from _impact_lines(self.rehearsal.impact, format_instant(self.rehearsal.at))
            if self.rehearsal.refused:
                yield f"lines of the feed that are not valid events: {self.rehearsal.refused}"

    def as_json(self, deployed: Entry | None) -> dict[str, Any]:
        proposal, rehearsal = self.proposal, self.rehearsal
        return {
            "kind": proposal.record.kind.value,
            "changes": not proposal.changes_nothing,
            "from": _from(proposal, deployed),
            "fingerprint": proposal.record.fingerprint,
            "replaces": [entry.number for entry in proposal.replaced],
            "difference": None if proposal.difference is None else plan_json(proposal.difference),
            "impact": None if rehearsal is None else _rehearsal_json(rehearsal),
            "refused": list(self.refused),
            "deployed": None if deployed is None else deployed.number,
        }


def listed(entries: Iterable[Entry]) -> Iterator[str]:
    """A line for each deployment of the log."""
    for entry in entries:
        who = f" by {entry.by}" if entry.by else ""
        why = f": {entry.note}" if entry.note else ""
        yield f"{entry.number}: {entry.kind}, policies {entry.fingerprint}, {since(entry.at)}{who}{why}"


def since(at: int) -> str:
    """From when on a deployment holds."""
    return "in force for all time" if at == SINCE_EVER else f"in force from {format_instant(at)} on"


def _from(proposal: Proposal, deployed: Entry | None) -> str | None:
    """From when on it holds, or would hold if it were deployed now; ``None``: for all time."""
    at = proposal.record.at if deployed is None else deployed.at
    return None if proposal.difference is None else format_instant(at)


def _impact_lines(impact: Impact, at: str) -> Iterator[str]:
    yield ""
    yield f"open tickets as of {at}: {impact.open}; affected: {impact.affected}"
    for touch, examples in impact.examples.items():
        yield f"{impact.touches[touch]} {_WORDS[touch]}"
        yield from (f"    {_example(example)}" for example in examples)
    if impact.unbuilt:
        yield f"tickets without the history that a new metric needs, which counts from its next start on: {impact.unbuilt}"
    if impact.cut:
        yield f"tickets that are judged anew only from where their kept history begins: {impact.cut}"


def _example(example: Example) -> str:
    name = example.ladder or example.commitment
    level = f" {example.level}" if example.level else ""
    due = "" if example.due_at is None else f", due {format_instant(example.due_at)}"
    return f"{example.ticket}: {name}{level}, {example.kind} ({example.reason}){due}"


def _rehearsal_json(rehearsal: Rehearsal) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(rehearsal.impact)
    plain |= {"at": format_instant(rehearsal.at), "refused": rehearsal.refused}
    for examples in plain["examples"].values():
        for example in examples:
            if (due := example.get("due_at")) is not None:
                example["due_at"] = format_instant(due)
    return plain
