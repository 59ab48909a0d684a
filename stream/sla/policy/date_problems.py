"""Values of ticket fields that are not dates, where a clock starts at the date of the field."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stream.sla.calendar.dates import DateError, instant_of
from stream.sla.calendar.zone import UTC_ZONE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from stream.sla.policy.conditions import Fields
    from stream.sla.policy.metric import Metric
    from stream.sla.policy.resolve import PolicySet


class WrongDate(NamedTuple):
    """A field that has no date, and why. It does not have the value, which people may have written."""

    field: str
    problem: str

    def __str__(self) -> str:
        return f"the field {self.field} {self.problem}"


def date_problem(metric: Metric, fields: Fields) -> str:
    """The problem of the date that starts a clock; empty: there is none, or the field is not set."""
    value = fields.get(metric.starts_at, "")
    if isinstance(value, list):
        return "has several values, and a clock starts at one date" if value else ""
    try:
        if value:
            instant_of(value, metric.zone or UTC_ZONE)
    except DateError as error:
        return str(error)
    return ""


def wrong_dates(policies: PolicySet, fields: Fields, names: Collection[str]) -> Iterator[WrongDate]:
    """Those of the named fields that start a clock and have no date."""
    for name in policies.dated:
        metric = policies.triggers[name].metric
        if metric.starts_at in names and (problem := date_problem(metric, fields)):
            yield WrongDate(metric.starts_at, problem)
