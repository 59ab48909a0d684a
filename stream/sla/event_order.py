"""The one order of a ticket's events, and when two of them are the same.

Times of helpdesks have whole seconds, so events of one action share an instant. Among those of one instant:

1. A creation comes first.
2. Then ``seq`` decides, the source's own order.
3. A merge, deletion or restoration comes before what the helpdesk changes with it, such as the status ``closed``.
4. Then the id decides, its numbers compared as numbers: ``e9`` comes before ``e10``.
5. The text of id and source decides what is left, so that no two events are equal.

An event is the fact that its source, its id and its ``seq`` name together: its identity.
"""

from __future__ import annotations

import re
from typing import Final

Place = tuple[int, int, int, str, str]
"""The place of an event, as a ticket keeps it of its newest: instant, precedence of its type, seq, id, source."""
Order = tuple[int, bool, int, int, tuple[str | int, ...], str, str]
"""The same, to be compared."""
Identity = tuple[str, str, int]
"""Source, id and seq."""

_CREATION: Final = 0
OTHER: Final = 2
PRECEDENCE: Final[dict[str, int]] = {
    "ticket.created": _CREATION,
    "ticket.merged": 1,
    "ticket.deleted": 1,
    "ticket.restored": 1,
}
"""Of the types that come before others of the same instant; all others have ``OTHER``."""

_digits: Final = re.compile(r"([0-9]+)").split


def order(place: Place) -> Order:
    """Raises nothing: an id has at most 256 characters, which is less than the most digits that Python reads."""
    at, precedence, seq, id_, source = place
    # Texts and numbers take turns, beginning with a text, so that a text meets a text and a number a number.
    parts = tuple([int(part) if number % 2 else part for number, part in enumerate(_digits(id_))])
    return at, precedence != _CREATION, seq, precedence, parts, id_, source


def follows(place: Place, other: Place) -> bool:
    """Whether ``order(place) > order(other)``. Ids are compared only where nothing else decides: mostly ``seq`` does."""
    if place[0] != other[0]:
        return place[0] > other[0]
    precedence, of_other = place[1], other[1]
    if (precedence == _CREATION) is not (of_other == _CREATION):
        return of_other == _CREATION
    if place[2] != other[2]:
        return place[2] > other[2]
    if precedence != of_other:
        return precedence > of_other
    return order(place) > order(other)
