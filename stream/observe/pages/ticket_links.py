"""Links from the pages to the tickets in the helpdesk."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlsplit

TICKET: Final = "{ticket}"
NUMBER: Final = "{number}"
SOURCE: Final = "{source}"


class TicketLinks:
    """Makes the address of a ticket from the setting ``ticket_url``; without one there are no addresses."""

    def __init__(self, template: str = "") -> None:
        self._template: Final = template

    def url(self, ticket: str) -> str | None:
        """The address of a ticket such as ``desk/42``, of which ``42`` is the number and ``desk`` the source."""
        if not self._template:
            return None
        source, _, number = ticket.rpartition("/")
        found = self._template
        for name, value in ((TICKET, ticket), (NUMBER, number), (SOURCE, source)):
            found = found.replace(name, quote(value, safe=""))
        return found


def ticket_url(value: str) -> str:
    """Check a setting. Raises ValueError."""
    value = value.strip()
    if not value:
        return value
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or "{" in parts.netloc:
        raise ValueError(f"{value!r} is not a valid address: use https://desk.example.com/tickets/{NUMBER}")
    if not any(name in value for name in (TICKET, NUMBER)):
        raise ValueError(f"{value!r} names no ticket: write {NUMBER} or {TICKET} where its number or its whole name belongs")
    return value
