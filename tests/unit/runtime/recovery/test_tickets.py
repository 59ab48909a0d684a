"""The tickets of a partition are what was put in, however they are kept."""

from __future__ import annotations

import pytest

from stream.runtime.recovery.tickets import Tickets

STATE = b"\x02\x92\x97\xc0\x95\xcf\x001234567\xc4\x05framerest"


def test_states_are_read_as_they_were_put_in() -> None:
    tickets = Tickets()
    tickets[b"a"], tickets[b"b"] = STATE, b"short"

    assert dict(tickets.items()) == {b"a": STATE, b"b": b"short"}
    assert (tickets[b"a"], tickets.get(b"a"), tickets.get(b"c")) == (STATE, STATE, None)
    assert list(tickets) == [b"a", b"b"]
    assert b"a" in tickets
    assert b"c" not in tickets
    with pytest.raises(KeyError):
        tickets[b"c"]


def test_a_dropped_ticket_is_gone() -> None:
    tickets = Tickets()
    tickets[b"a"] = STATE

    tickets.drop(b"a")
    tickets.drop(b"never there")

    assert len(tickets) == 0
    assert not tickets.is_timed(b"a")
