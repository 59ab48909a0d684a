"""The book of open commitments, and the books of several partitions together."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from stream.observe.counts import LabelSets
from stream.observe.labels import Vocabularies
from stream.observe.open_books import OpenBooks
from stream.sla.engine import Engine
from stream.sla.events import ActorKind, Event, EventType
from stream.sla.ticket.state import open_commitments
from tests.unit.observe.observed import gold, policy_set

if TYPE_CHECKING:
    from stream.observe.open_book import OpenBook
    from stream.sla.ticket.state import State

HOUR = 3_600_000_000
POLICIES = policy_set(gold())
ENGINE = Engine(POLICIES)


@pytest.fixture
def books() -> OpenBooks:
    return OpenBooks(LabelSets(Vocabularies(POLICIES), CollectorRegistry()))


def shown(books: OpenBooks) -> dict[tuple[str, str, str], float]:
    """What is open, by priority, team and state; nothing of what is not."""
    (family,) = books.collect()
    return {
        (sample.labels["priority"], sample.labels["team"], sample.labels["state"]): sample.value
        for sample in family.samples
        if sample.value
    }


def heard(state: State | None, at: int, kind: EventType = "ticket.changed", **fields: str) -> State:
    actor: ActorKind = "agent" if kind == "comment.added" else "customer"
    event = Event(at=at, id=str(at), type=kind, source="desk", actor=actor, public=True, fields=dict(fields))
    return ENGINE.apply(state, "desk/1", event, at).state


def created(at: int = HOUR, priority: str = "p1", team: str = "") -> State:
    return heard(None, at, "ticket.created", priority=priority, team=team)


def held(book: OpenBook) -> tuple[object, ...]:
    """All that a book counts, zeros left out."""
    states = [{number: count for number, count in there.items() if count} for there in book.states.values()]
    return book.open, states, book.due, book.began


def test_a_label_set_is_shown_as_nothing_in_every_state_before_anything_opens(books: OpenBooks) -> None:
    books._sets.find("gold", "first_response", "p1", "")

    (family,) = books.collect()
    assert {sample.labels["state"]: sample.value for sample in family.samples} == {"running": 0, "paused": 0, "breached": 0}


def test_a_ticket_that_is_told_of_again_unchanged_counts_once(books: OpenBooks) -> None:
    book, state = books.begin(0), created()
    book.change(None, state)
    book.change(state, state)

    assert shown(books) == {("p1", "", "running"): 1}
    assert book.open == 1


def test_a_commitment_that_breaches_is_counted_under_its_new_state_and_gone_when_it_is_fulfilled(books: OpenBooks) -> None:
    book, state = books.begin(0), created()
    book.change(None, state)
    breached = ENGINE.wake(state, 100 * HOUR).state
    book.change(state, breached)
    assert shown(books) == {("p1", "", "breached"): 1}

    book.change(breached, heard(breached, 101 * HOUR, "comment.added"))
    assert (shown(books), book.open) == ({}, 0)


def test_a_change_of_priority_or_team_moves_what_is_open_to_other_labels(books: OpenBooks) -> None:
    book, state = books.begin(0), created()
    book.change(None, state)
    moved = heard(state, 2 * HOUR, priority="p2")
    book.change(state, moved)
    assert shown(books) == {("p2", "", "running"): 1}

    book.change(moved, heard(moved, 3 * HOUR, team="billing"))
    assert shown(books) == {("p2", "billing", "running"): 1}


def test_a_forgotten_ticket_leaves_nothing_behind(books: OpenBooks) -> None:
    book, state = books.begin(0), created()
    book.change(None, state)
    book.change(state, None)

    assert held(book) == (0, [{}, {}, {}], {}, {})


def test_a_ticket_whose_team_is_a_list_is_counted_as_a_look_at_it_shows_it(books: OpenBooks) -> None:
    event = Event(
        at=HOUR, id="1", type="ticket.created", source="desk", actor="customer", fields={"priority": "p1", "team": ["a", "b"]}
    )
    state = ENGINE.apply(None, "desk/1", event, HOUR).state
    book, fresh = books.begin(0), books.begin(1)
    book.change(None, state)
    fresh.add(open_commitments(state))
    assert held(book) == held(fresh)

    book.change(state, heard(state, 2 * HOUR, "comment.added"))
    assert held(book) == (0, [{}, {}, {}], {}, {})


def test_partitions_are_added_up_and_one_that_is_given_up_is_gone_at_once(books: OpenBooks) -> None:
    for partition, hours in ((0, 1), (1, 2), (2, 1)):
        books.begin(partition).change(None, created(hours * HOUR))
    assert shown(books) == {("p1", "", "running"): 3}

    books.drop(1)
    books.drop(1)
    assert shown(books) == {("p1", "", "running"): 2}

    books.begin(2)
    assert shown(books) == {("p1", "", "running"): 1}


def test_whatever_happens_to_tickets_a_book_holds_what_a_look_at_each_of_them_gives(books: OpenBooks) -> None:
    dice, book, states = Random(11), books.begin(0), dict[int, "State | None"]()
    for at in range(HOUR, 3_000 * HOUR, HOUR):
        ticket = dice.randrange(40)
        before = states.get(ticket)
        match dice.randrange(8):
            case 0 if before is not None:
                after = None
            case 1 if before is not None:
                after = ENGINE.wake(before, at).state
            case 2 if before is not None:  # it comes late
                after = heard(before, at - dice.randrange(HOUR, 40 * HOUR), status=dice.choice(("open", "solved")))
            case 3:
                after = heard(before, at, "comment.added")
            case 4:
                after = heard(before, at, status=dice.choice(("open", "pending", "solved", "closed")))
            case _:
                after = heard(before, at, priority=dice.choice(("p1", "p2", "p3")), team=dice.choice(("", "billing")))
        book.change(before, after)
        states[ticket] = after

    fresh = books.begin(1)
    for state in states.values():
        if state is not None:
            fresh.add(open_commitments(state))
    assert held(book) == held(fresh)
    assert book.open > 3
