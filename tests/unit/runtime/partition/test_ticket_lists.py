"""The tickets of a partition by list."""

from __future__ import annotations

from stream.runtime.partition.ticket_lists import TicketLists
from stream.sla.ticket.listing import BREACHED, PAUSED, UNMATCHED


def test_a_list_has_its_tickets_in_the_order_in_which_they_came_to_it() -> None:
    lists = TicketLists()
    for key, numbers in ((b"c", BREACHED), (b"a", PAUSED), (b"b", BREACHED | PAUSED), (b"c", BREACHED)):
        lists.put(key, numbers)

    assert (lists.of("breached"), lists.of("paused"), lists.of("unmatched")) == ([b"c", b"b"], [b"a", b"b"], [])


def test_a_ticket_leaves_the_lists_that_it_is_no_longer_in() -> None:
    lists = TicketLists()
    lists.put(b"a", BREACHED | PAUSED)

    lists.put(b"a", PAUSED)
    assert (lists.of("breached"), lists.of("paused")) == ([], [b"a"])
    lists.put(b"a", UNMATCHED)
    assert (lists.of("paused"), lists.of("unmatched")) == ([], [b"a"])
    lists.put(b"a", 0)
    assert lists.of("unmatched") == []
