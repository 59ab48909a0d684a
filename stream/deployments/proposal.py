"""A deployment before it is appended: what would change, and what would give way to it.

1. ``deploy``: these policies hold from now on, never from before the instant of the last deployment.
2. ``undo``: the policies from before the last deployment hold from the instant of the last deployment on.
3. ``rejudge``: these policies hold from an instant in the past on, and everything from then on is judged again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec import structs

from stream.deployments.difference import difference
from stream.deployments.record import DeploymentKind, new_record
from stream.sla.policy.timeline import Deployments

if TYPE_CHECKING:
    from stream.deployments.facts import Difference
    from stream.deployments.log import Entry, Log
    from stream.deployments.record import DeploymentRecord
    from stream.sla.policy.resolve import PolicySet

LEAD: Final = 5_000_000
"""Microseconds between the append and the instant from which a deployment holds: workers know it by then."""


class Author(NamedTuple):
    """The person or program that deploys, and the reason."""

    by: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A record that may be appended, with what it would do."""

    record: DeploymentRecord
    policies: PolicySet
    deployments: Deployments
    """The log with it."""
    replaced: tuple[Entry, ...]
    """The deployments that hold from a later instant, or from the same one, and give way to it."""
    difference: Difference | None
    """From the policies below it to its own; ``None`` for the first deployment. An undo has no problems: it goes back."""
    changes_nothing: bool
    """The same policies are in force already, and from the same instant on."""


def deploy(log: Log, policies: PolicySet, at: int, author: Author) -> Proposal:
    """From ``at`` on, or from the instant of the last deployment if that is later (epoch microseconds).

    Raises RecordError, SnapshotError.
    """
    at = at if log.last is None else max(at, log.last.at)
    return _propose(
        log, new_record(log.next_after, at, DeploymentKind.DEPLOY, policies, by=author.by, note=author.note), policies
    )


def rejudge(log: Log, policies: PolicySet, at: int, author: Author) -> Proposal:
    """From an instant in the past on. Raises RecordError, SnapshotError."""
    return _propose(
        log, new_record(log.next_after, at, DeploymentKind.REJUDGE, policies, by=author.by, note=author.note), policies
    )


def undo(log: Log, author: Author) -> Proposal:
    """Undo the last deployment. Raises NothingToUndoError, RecordError."""
    undone, before = log.undone()
    policies = log.deployed(before.number)
    proposal = _propose(
        log, new_record(log.next_after, undone.at, DeploymentKind.UNDO, policies, by=author.by, note=author.note), policies
    )
    assert log.deployments is not None
    back = difference(log.deployments.timeline.last.policies, policies, undone.at)
    return replace(proposal, difference=replace(back, problems=()), changes_nothing=False)


def _propose(log: Log, record: DeploymentRecord, policies: PolicySet) -> Proposal:
    number = log.next_after + 1
    if log.deployments is None or log.last is None:
        return Proposal(record, policies, Deployments.fixed(policies, number), (), None, changes_nothing=False)
    deployments = log.deployments.add(number, record.at, policies)
    before = deployments.timeline.last.before
    replaced = tuple(
        log.entries[one.number] for one in log.deployments.timeline.deployments if one.number not in deployments.timeline.place
    )
    same = not replaced or (len(replaced) == 1 and replaced[0].at == record.at)
    return Proposal(
        record,
        policies,
        deployments,
        replaced,
        None if before is None else difference(before.policies, policies, record.at),
        changes_nothing=same and record.fingerprint == log.last.fingerprint,
    )


def stamped(proposal: Proposal, at: int) -> DeploymentRecord:
    """Its record as it is to be appended now: one that holds from now on does not hold from before ``at``.

    Between the proposal and the append may lie minutes in which its impact was counted.
    """
    record = proposal.record
    return structs.replace(record, at=max(record.at, at)) if record.kind is DeploymentKind.DEPLOY else record


def as_of(log: Log, proposal: Proposal, newest: int) -> tuple[Deployments, int]:
    """The log with the proposal, and the instant at which to ask for its impact on a feed that ends at ``newest``.

    The policies that hold from now on are taken to hold from the end of the feed on: tickets stand there as they stood then.
    """
    record = proposal.record
    if record.kind is not DeploymentKind.DEPLOY or log.deployments is None or log.last is None:
        return proposal.deployments, max(newest, record.at)
    at = max(newest, log.last.at)
    return log.deployments.add(log.next_after + 1, at, proposal.policies), at
