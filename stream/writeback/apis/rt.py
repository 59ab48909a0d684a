"""Request Tracker: custom fields of a ticket, its due date, and the queue that takes it over.

Each change has the ETag that was read as ``If-Match``: RT answers 412 if somebody has changed the ticket since, and it is read
again. RT answers 200 to a change that it does not make, such as a value that a field does not take or a right that the account
lacks, so the ticket is read again after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from stream.writeback.api import Change, Current, Outcome, RefusedError

if TYPE_CHECKING:
    from stream.writeback.http import DeskClient
    from stream.writeback.rule import FieldRule

_QUEUE: Final = "Queue"
_STANDARD: Final = frozenset({_QUEUE, "Priority", "Due"})
_NO_DATE: Final = "1970-01-01"


class RequestTracker:
    """REST2 of RT 5, or of RT 4.4 with its extension."""

    def __init__(self, client: DeskClient, tags_field: str) -> None:
        """``tags_field``: the custom field with the tags; empty: none are written."""
        self._client: Final = client
        self._tags_field: Final = tags_field

    async def read(self, ticket: str, rules: tuple[FieldRule, ...]) -> Current:
        data, headers = await self._client.get(f"/REST/2.0/ticket/{ticket}?fields[Queue]=Name")
        if str(data["id"]) != ticket:
            raise RefusedError(Outcome.GONE, f"the ticket was merged into {data['id']}")
        custom = {each["name"]: each.get("values") or [] for each in data.get("CustomFields") or []}
        fields = {}
        for rule in rules:
            if rule.field in _STANDARD:
                fields[rule.field] = _standard(rule.field, data)
            elif rule.field in custom:
                fields[rule.field] = str(custom[rule.field][0]) if custom[rule.field] else ""
        tags = frozenset(map(str, custom.get(self._tags_field, [])))
        return Current(fields, tags, headers.get("ETag", ""), data["Status"] == "deleted")

    async def write(self, ticket: str, change: Change, current: Current) -> None:
        body: dict[str, Any] = {rule.field: text for rule, text in change.fields.items() if rule.field in _STANDARD}
        custom: dict[str, Any] = {rule.field: text for rule, text in change.fields.items() if rule.field not in _STANDARD}
        tags = (current.tags | change.add) - change.remove
        if tags != current.tags:
            custom[self._tags_field] = sorted(tags)
        if custom:
            body["CustomFields"] = custom
        answer = await self._client.put(f"/REST/2.0/ticket/{ticket}", body, {"If-Match": current.version})
        after = await self.read(ticket, tuple(change.fields))
        # In another queue a ticket has other custom fields, and what was written into its former ones is not seen any more.
        moved = any(rule.field == _QUEUE for rule in change.fields)
        ignored = [
            rule.field for rule, text in change.fields.items() if after.fields.get(rule.field, text if moved else "") != text
        ]
        if ignored or (after.tags != tags and not moved):
            what = ", ".join(ignored) or self._tags_field
            raise RefusedError(Outcome.REFUSED, f"RT did not change {what}: {'; '.join(map(str, answer.data or []))}")


def _standard(name: str, data: Any) -> str:
    value = data.get(name)
    if name == _QUEUE:
        return str(value.get("Name") or value.get("id"))
    if name == "Due":
        return "" if not value or value.startswith(_NO_DATE) else value.replace("T", " ").removesuffix("Z")
    return "" if value is None else str(value)
