"""The properties of each helpdesk: its ids, its logins, and the fields that may be written. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from stream.writeback.rule import Form

if TYPE_CHECKING:
    from collections.abc import Mapping

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True)
class System:
    """One kind of helpdesk."""

    name: str
    ids: re.Pattern[str]
    """Ids of tickets. They become part of addresses."""
    logins: tuple[str, ...]
    standard: frozenset[str]
    """Fields of the helpdesk's own that may be written: those that hand a ticket over, a deadline, a priority."""
    custom: re.Pattern[str]
    """Names or ids of fields that the desk has added."""
    fields_text: str
    """The same, for people."""
    form: Form
    """The default format of an instant."""
    rate: int
    """Requests a minute: a quarter of what its smallest plan allows, or what a small machine bears."""
    tags: bool = True
    tags_in_field: bool = False
    """Tags are values of a field that the desk has added."""
    dates: frozenset[str] = frozenset()
    """Standard fields that have a date without a time."""
    key_header: str = ""
    """The header of a login by key."""
    key_form: str = "{}"
    """The value of that header."""

    def writable(self, field: str) -> bool:
        return field in self.standard or bool(self.custom.fullmatch(field))


_TEXTS: Final = "Subject|Description|Content|Status"
SYSTEMS: Final[Mapping[str, System]] = {
    system.name: system
    for system in (
        System(
            name="zendesk",
            ids=_NUMBER,
            logins=("basic", "bearer"),
            standard=frozenset({"group_id", "priority", "type"}),
            custom=_NUMBER,
            fields_text="custom fields, by their ids, and in group_id, priority, type",
            form=Form.ISO,
            rate=50,
        ),
        System(
            name="jira",
            ids=re.compile(r"[A-Z][A-Z0-9_]{0,49}-[1-9][0-9]{0,17}|[1-9][0-9]{0,17}"),
            logins=("basic", "bearer"),
            standard=frozenset({"duedate", "priority"}),
            custom=re.compile(r"customfield_[0-9]{1,18}"),
            fields_text="customfield_ and a number, duedate, priority",
            form=Form.JIRA,
            rate=100,
            dates=frozenset({"duedate"}),
        ),
        System(
            name="rt",
            ids=_NUMBER,
            logins=("basic", "key"),
            standard=frozenset({"Queue", "Priority", "Due"}),
            custom=re.compile(rf"(?!(?:{_TEXTS}|Owner|Requestor|Cc|AdminCc)$)[^\x00-\x1f]{{1,200}}"),
            fields_text="custom fields, by their names, and in Queue, Priority, Due",
            form=Form.SQL,
            rate=120,
            tags_in_field=True,
            key_header="Authorization",
            key_form="token {}",
        ),
        System(
            name="redmine",
            ids=_NUMBER,
            logins=("key", "basic"),
            standard=frozenset({"assigned_to_id", "category_id", "priority_id", "due_date"}),
            custom=re.compile(r"(?!(?:notes|subject|description|status_id)$)[^\x00-\x1f]{1,200}"),
            fields_text="custom fields, by their names or ids, and in assigned_to_id, category_id, priority_id, due_date",
            form=Form.ISO,
            rate=120,
            tags=False,
            dates=frozenset({"due_date"}),
            key_header="X-Redmine-API-Key",
        ),
        System(
            name="django-helpdesk",
            ids=_NUMBER,
            logins=("basic", "bearer"),
            standard=frozenset({"priority", "due_date", "queue", "assigned_to"}),
            custom=re.compile(r"custom_[a-z0-9_]{1,50}"),
            fields_text="custom_ and the name of a field, due_date, priority, queue, assigned_to",
            form=Form.ISO,
            rate=120,
            tags=False,
        ),
    )
}
