"""Values that depend on the ticket: one for all, a map by priority, a map by another field, or a list of cases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeVar

from stream.documents.readers import Reader, as_text, listed, part, section, shown, under
from stream.language.conditions import read_clock_condition
from stream.sla.events import STATUSES
from stream.sla.policy.conditions import ALWAYS, All, Condition, FieldIn, Not
from stream.sla.policy.policy import Choice

if TYPE_CHECKING:
    from stream.documents.document import Report, Where

T = TypeVar("T")

NONE: Final = "none"
"""Written where nothing is promised on purpose."""


def read_choice(
    data: object,
    report: Report,
    read: Reader[T],
    *,
    may_be_none: bool = True,
    condition: Reader[Condition] = read_clock_condition,
) -> Choice[T] | None:
    """A choice of what ``read`` reads. With ``may_be_none`` the word ``none`` stands for no value.

    ``condition``: reads the condition of a case.
    """
    chosen: list[tuple[Condition, T]] = []
    failed = False
    nones: list[Condition] = []
    cases = _cases(data, report, condition)
    for case, value, here in cases or ():
        if may_be_none and value == NONE:
            nones.append(case)
            continue
        result = read(value, here)
        if result is None:
            failed = True
        else:
            chosen.append((_apart(case, nones), result))
    return None if cases is None or failed else Choice(tuple(chosen))


def stated(data: object) -> list[Condition]:
    """The conditions of all cases of a valid choice, those of ``none`` included."""
    return [condition for condition, _, _ in _cases(data, _never, read_clock_condition) or ()]


def _never(_where: Where, message: str) -> None:
    raise ValueError(f"the choice was read before: {message}")


def total(choice: Choice[T]) -> bool:
    """Whether every ticket gets a value, whatever its fields."""
    return any(condition == ALWAYS for condition, _ in choice.cases)


def _apart(condition: Condition, nones: list[Condition]) -> Condition:
    """The condition, without what earlier cases gave to ``none``."""
    if not nones:
        return condition
    others = tuple(Not(none) for none in nones)
    return All((*others, condition)) if condition != ALWAYS else others[0] if len(others) == 1 else All(others)


def _cases(data: object, report: Report, read: Reader[Condition]) -> list[tuple[Condition, object, Report]] | None:
    if isinstance(data, Mapping):
        return _by_field(data, report)
    if isinstance(data, list) and any(isinstance(item, Mapping) for item in data):
        return _listed_cases(data, report, read)
    return [(ALWAYS, data, report)]


def _by_field(data: Mapping[str, object], report: Report) -> list[tuple[Condition, object, Report]] | None:
    if data.keys() <= {"when", "is"}:
        report((), "cases are written as a list: [{when: ..., is: ...}, {is: ...}]")
        return None
    field = as_text(data.get("by", "priority"))
    if not field or field.startswith("@"):
        report(("by",), f"must name a ticket field, not {shown(data.get('by'))}")
        return None
    values = [key for key in data if key not in {"by", "default"}]
    if not values:
        report((), f"chooses by `{field}` but names no value of it")
        return None
    for value in values:
        if field == "status" and value not in STATUSES:
            report((value,), f"`{value}` is not one of {listed(STATUSES)}")
            return None
    conditions: dict[str, Condition] = {value: FieldIn(field, frozenset({value})) for value in values}
    if "default" in data:
        conditions["default"] = ALWAYS  # last, wherever it is written
    return [(condition, data[key], under(report, key)) for key, condition in conditions.items()]


def _listed_cases(data: list[object], report: Report, read: Reader[Condition]) -> list[tuple[Condition, object, Report]] | None:
    cases: list[tuple[Condition, object, Report]] = []
    failed = False
    for index, item in enumerate(data):
        here = under(report, index)
        case = section(item, here, ("when", "is"), required=("is",))
        if case is None or "is" not in case:
            failed = True
            continue
        if cases and cases[-1][0] == ALWAYS:
            here((), "is never reached: the case before it holds for every ticket")
            failed = True
        condition: Condition | None = part(case, "when", here, read) if "when" in case else ALWAYS
        if condition is None:
            failed = True
        else:
            cases.append((condition, case["is"], under(here, "is")))
    return None if failed else cases
