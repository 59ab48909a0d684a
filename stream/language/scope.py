"""The names that all files together define for policies: metrics and calendars."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stream.documents.readers import as_text, listed, shown, suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.documents.document import Report
    from stream.sla.calendar.calendar import Calendar
    from stream.sla.policy.metric import Metric


@dataclass(frozen=True, slots=True)
class Scope:
    """``None`` stands for what is defined but could not be read: naming it is not a second problem."""

    metrics: Mapping[str, Metric | None]
    calendars: Mapping[str, Calendar | None]
    used: set[str] = field(default_factory=set)
    """The metrics and calendars that policies have named so far."""

    def read_metric(self, data: object, report: Report) -> Metric | None:
        """The metric of a name."""
        if not isinstance(data, str) or data not in self.metrics:
            hint = suggestion(str(data), self.metrics)
            report((), f"there is no metric {shown(data)}{hint}; known: {listed(self.metrics)}")
            return None
        self.used.add(data)
        return self.metrics[data]

    def read_calendar_name(self, data: object, report: Report) -> str | None:
        """The name of a calendar that is defined."""
        name = as_text(data)
        if name is None or name not in self.calendars:
            hint = suggestion(str(data), self.calendars)
            report((), f"there is no calendar {shown(data)}{hint}; known: {listed(self.calendars)}")
            return None
        self.used.add(name)
        return name
