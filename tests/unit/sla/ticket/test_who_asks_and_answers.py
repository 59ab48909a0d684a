"""Who waits and who has answered, by the role of the person who comments."""

from __future__ import annotations

import pytest

from stream.language.conditions import read_condition
from stream.sla.events import Event
from stream.sla.explain.change import what_changed
from stream.sla.policy.conditions import compile_condition, types_read
from stream.sla.policy.metric import ANSWER
from stream.sla.ticket.fields import update_fields
from stream.sla.ticket.state import Ticket


def comment(person: str, *, public: bool = True) -> Event:
    """By ``agent`` or ``agent as requester``."""
    actor, _, role = person.partition(" as ")
    return Event(1, "e", "comment.added", "test", actor=actor, public=public, role=role)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("people", "waiting", "answered"),
    [
        (["customer"], "yes", ""),
        (["customer as requester"], "yes", ""),
        (["customer as contact"], "contact", ""),
        (["customer as contact", "customer"], "yes", ""),
        (["customer", "customer as contact"], "yes", ""),
        (["customer", "agent as light_agent"], "", "yes"),
        (["customer as contact", "agent"], "", "yes"),
        (["agent as requester"], "yes", ""),
        (["customer", "vendor", "bot", "system", "vendor as contact"], "yes", ""),
        (["customer", "agent", "agent as requester"], "yes", "yes"),
    ],
)
def test_a_comment_asks_or_answers_by_the_role_of_its_author(people: list[str], waiting: str, answered: str) -> None:
    ticket = Ticket("T")
    for person in people:
        update_fields(ticket, comment(person), frozenset())

    assert (ticket.fields.get("@waiting", ""), ticket.fields.get("@answered", "")) == (waiting, answered)


@pytest.mark.parametrize(
    ("written", "person", "holds"),
    [
        ("requester", "customer", True),
        ("requester", "agent as requester", True),
        ("requester", "agent", False),
        ("requester", "customer as contact", False),
        (["contact", "cc"], "customer as cc", True),
        ('""', "agent", False),
        ("", "agent", True),
        ("", "customer", False),
    ],
)
def test_a_condition_asks_for_the_role(written: object, person: str, holds: bool) -> None:
    condition = read_condition({"role": written}, lambda where, message: pytest.fail(f"{where} {message}"))
    assert condition is not None

    assert compile_condition(condition).holds(comment(person), {}) is holds


def test_only_comments_can_be_answers() -> None:
    assert types_read(ANSWER) == frozenset({"comment.added"})


def test_an_explanation_names_the_role() -> None:
    assert what_changed(comment("customer as contact"), {}, {}) == "public comment by customer (contact)"
