"""The counts of open commitments, of one partition and of several together."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from stream.observe.metrics.commitment_metrics import CommitmentMetrics
from stream.observe.metrics.labels import BoundedLabels
from stream.observe.metrics.open_commitments import OpenCommitments
from stream.sla.engine import Engine
from stream.sla.events import ActorKind, Event, EventType
from stream.sla.ticket.state import open_commitments
from tests.unit.observe.observed import gold, policy_set

if TYPE_CHECKING:
    from stream.observe.metrics.open_counts import OpenCommitmentCounts
    from stream.sla.ticket.state import State

HOUR = 3_600_000_000
POLICIES = policy_set(gold())
ENGINE = Engine(POLICIES)


@pytest.fixture
def partitions() -> OpenCommitments:
    return OpenCommitments(CommitmentMetrics(BoundedLabels(POLICIES), CollectorRegistry()))


def shown(partitions: OpenCommitments) -> dict[tuple[str, str, str], float]:
    """The open commitments by priority, team and state, without zeros."""
    (family,) = partitions.collect()
    return {
        (sample.labels["priority"], sample.labels["team"], sample.labels["state"]): sample.value
        for sample in family.samples
        if sample.value
    }


def applied(state: State | None, at: int, kind: EventType = "ticket.changed", **fields: str) -> State:
    actor: ActorKind = "agent" if kind == "comment.added" else "customer"
    event = Event(at=at, id=str(at), type=kind, source="desk", actor=actor, public=True, fields=dict(fields))
    return ENGINE.apply(state, "desk/1", event, at).state


def created(at: int = HOUR, priority: str = "p1", team: str = "") -> State:
    return applied(None, at, "ticket.created", priority=priority, team=team)


def nonzero(counts: OpenCommitmentCounts) -> tuple[object, ...]:
    """All counts without zeros."""
    states = [{number: count for number, count in there.items() if count} for there in counts.states.values()]
    return counts.open, states, counts.due, counts.began


def test_a_label_set_is_zero_in_every_state_before_a_commitment_opens(partitions: OpenCommitments) -> None:
    partitions._metrics.find("gold", "first_response", "p1", "", "")

    (family,) = partitions.collect()
    assert {sample.labels["state"]: sample.value for sample in family.samples} == {"running": 0, "paused": 0, "breached": 0}


def test_an_unchanged_ticket_counts_once(partitions: OpenCommitments) -> None:
    counts, state = partitions.begin(0), created()
    counts.change(None, state)
    counts.change(state, state)

    assert shown(partitions) == {("p1", "", "running"): 1}
    assert counts.open == 1


def test_a_breached_commitment_is_counted_as_breached_until_it_is_fulfilled(
    partitions: OpenCommitments,
) -> None:
    counts, state = partitions.begin(0), created()
    counts.change(None, state)
    breached = ENGINE.wake(state, 100 * HOUR).state
    counts.change(state, breached)
    assert shown(partitions) == {("p1", "", "breached"): 1}

    counts.change(breached, applied(breached, 101 * HOUR, "comment.added"))
    assert (shown(partitions), counts.open) == ({}, 0)


def test_a_change_of_priority_or_team_moves_open_commitments_to_other_labels(partitions: OpenCommitments) -> None:
    counts, state = partitions.begin(0), created()
    counts.change(None, state)
    moved = applied(state, 2 * HOUR, priority="p2")
    counts.change(state, moved)
    assert shown(partitions) == {("p2", "", "running"): 1}

    counts.change(moved, applied(moved, 3 * HOUR, team="billing"))
    assert shown(partitions) == {("p2", "billing", "running"): 1}


def test_a_removed_ticket_is_not_counted(partitions: OpenCommitments) -> None:
    counts, state = partitions.begin(0), created()
    counts.change(None, state)
    counts.change(state, None)

    assert nonzero(counts) == (0, [{}, {}, {}], {}, {})


def test_a_ticket_whose_team_is_a_list_is_counted_like_its_open_commitments(partitions: OpenCommitments) -> None:
    event = Event(
        at=HOUR, id="1", type="ticket.created", source="desk", actor="customer", fields={"priority": "p1", "team": ["a", "b"]}
    )
    state = ENGINE.apply(None, "desk/1", event, HOUR).state
    counts, fresh = partitions.begin(0), partitions.begin(1)
    counts.change(None, state)
    fresh.add(open_commitments(state))
    assert nonzero(counts) == nonzero(fresh)

    counts.change(state, applied(state, 2 * HOUR, "comment.added"))
    assert nonzero(counts) == (0, [{}, {}, {}], {}, {})


def test_partitions_are_summed_and_a_dropped_partition_is_not_counted(partitions: OpenCommitments) -> None:
    for partition, hours in ((0, 1), (1, 2), (2, 1)):
        partitions.begin(partition).change(None, created(hours * HOUR))
    assert shown(partitions) == {("p1", "", "running"): 3}

    partitions.drop(1)
    partitions.drop(1)
    assert shown(partitions) == {("p1", "", "running"): 2}

    partitions.begin(2)
    assert shown(partitions) == {("p1", "", "running"): 1}


def test_after_any_changes_the_counts_equal_a_count_of_every_ticket(partitions: OpenCommitments) -> None:
    dice, counts, states = Random(11), partitions.begin(0), dict[int, "State | None"]()
    for at in range(HOUR, 3_000 * HOUR, HOUR):
        ticket = dice.randrange(40)
        before = states.get(ticket)
        match dice.randrange(8):
            case 0 if before is not None:
                after = None
            case 1 if before is not None:
                after = ENGINE.wake(before, at).state
            case 2 if before is not None:  # it comes late
                after = applied(before, at - dice.randrange(HOUR, 40 * HOUR), status=dice.choice(("open", "solved")))
            case 3:
                after = applied(before, at, "comment.added")
            case 4:
                after = applied(before, at, status=dice.choice(("open", "pending", "solved", "closed")))
            case _:
                after = applied(before, at, priority=dice.choice(("p1", "p2", "p3")), team=dice.choice(("", "billing")))
        counts.change(before, after)
        states[ticket] = after

    fresh = partitions.begin(1)
    for state in states.values():
        if state is not None:
            fresh.add(open_commitments(state))
    assert nonzero(counts) == nonzero(fresh)
    assert counts.open > 3
