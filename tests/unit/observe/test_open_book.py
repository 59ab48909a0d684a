"""The book of open commitments."""

from __future__ import annotations

import pytest

from stream.observe.open_book import OpenBook
from stream.observe.open_times import OpenTimes

LABELS = ("gold", "first_response", "p1", "")


@pytest.fixture
def book() -> OpenBook:
    return OpenBook(OpenTimes(lambda: 0))


def counts(book: OpenBook) -> dict[str, float]:
    """Value by state."""
    (family,) = book.collect()
    return {sample.labels["state"]: sample.value for sample in family.samples}


def test_a_label_set_that_is_foreseen_is_shown_as_nothing_in_every_state(book: OpenBook):
    book.foresee(LABELS)

    assert counts(book) == {"running": 0, "paused": 0, "breached": 0}


def test_saying_the_same_of_a_ticket_twice_counts_it_once(book: OpenBook):
    running = (book.entry(LABELS, "running"), None, 0)
    book.set("desk/1", (running,))
    book.set("desk/1", (running,))

    assert counts(book) == {"running": 1}


def test_two_commitments_of_one_ticket_under_the_same_labels_count_twice(book: OpenBook):
    running = (book.entry(LABELS, "running"), None, 0)
    book.set("desk/1", (running, running))

    assert counts(book) == {"running": 2}


def test_what_is_said_of_a_ticket_tells_how_many_more_are_open_than_before(book: OpenBook):
    running, paused = (book.entry(LABELS, "running"), None, 0), (book.entry(LABELS, "paused"), None, 0)

    said = [book.set("desk/1", lines) for lines in ((running, paused), (paused, running), (running,), (running,), ())]

    assert said == [2, 0, -1, 0, -1]


def test_forgetting_a_ticket_that_was_never_open_changes_nothing(book: OpenBook):
    book.foresee(LABELS)
    book.set("desk/1", ())

    assert set(counts(book).values()) == {0}
