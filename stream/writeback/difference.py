"""The values to write to a ticket: those of its rules, less those that were written last. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stream.writeback.api import Change
from stream.writeback.rule import FieldRule, Rule, TagRule, UnlistedError
from stream.writeback.values import values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stream.writeback.api import Current
    from stream.writeback.record import TicketRecord


class Wanted(NamedTuple):
    """The values of a ticket by the rules."""

    texts: Mapping[Rule, str | bool]
    unlisted: tuple[str, ...]
    """Values that the table of a rule does not have, each as a message. Their fields stay as they are."""


def wanted(record: TicketRecord, rules: Sequence[Rule]) -> Wanted:
    """The values by the rules that differ from those that were written last.

    A field that was never written is not cleared, and a tag that was never set is not removed: whoever has set it had a reason.
    """
    now, texts, unlisted = values(record), dict[Rule, str | bool](), list[str]()
    for rule in rules:
        try:
            text = rule.wanted(now)
        except UnlistedError as error:
            unlisted.append(str(error))
            continue
        if record.written.get(rule.place, "" if isinstance(rule, FieldRule) else False) != text:
            texts[rule] = text
    return Wanted(texts, tuple(unlisted))


def change_of(texts: Mapping[Rule, str | bool], current: Current) -> Change:
    """The values that the helpdesk does not have yet."""
    fields = {
        rule: str(text)
        for rule, text in texts.items()
        if isinstance(rule, FieldRule) and current.fields.get(rule.field, text) != text
    }
    tags = {rule.tag: bool(text) for rule, text in texts.items() if isinstance(rule, TagRule)}
    return Change(
        fields,
        frozenset(tag for tag, has in tags.items() if has) - current.tags,
        frozenset(tag for tag, has in tags.items() if not has) & current.tags,
    )
