"""Two texts of policy files, and the difference between them."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from stream.deployments.difference import difference
from stream.deployments.phrasing import place_words
from stream.deployments.plan import plan_lines
from stream.language.policies import load
from stream.sla.policy.condition_words import condition_words
from stream.sla.policy.conditions import ALWAYS
from stream.wire.instants import parse_instant

if TYPE_CHECKING:
    from pathlib import Path

    from stream.deployments.facts import Difference

AT = parse_instant("2026-06-01T00:00:00Z")
"""The instant of every deployment here."""
OFFICE = 'office: {timezone: Europe/Berlin, week: {mon-fri: ["09:00-17:00"]}}'


class Stepping:
    """Reads both sides and finds their difference."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, old: str, new: str, days: int = 31) -> Difference:
        sides = []
        for name, text in (("old", old), ("new", new)):
            path = self._folder / f"{name}.yaml"
            path.write_text(textwrap.dedent(text))
            sides.append(load([path]))
        return difference(sides[0], sides[1], AT, days)

    def plan(self, old: str, new: str) -> list[str]:
        """The lines of the plan, without problems and summary."""
        lines = list(plan_lines(self.find(old, new)))
        return lines[: lines.index("")] if "" in lines else lines

    def problems(self, old: str, new: str) -> list[str]:
        """``code: place (case)`` of each problem."""
        found = []
        for problem in self.find(old, new).problems:
            case = f" ({condition_words(problem.when)})" if problem.when not in (None, ALWAYS) else ""
            found.append(f"{problem.code}: {place_words(problem.place)}{case}")
        return found


def policy(
    commitments: str = "[{metric: resolution, target: 1d}]",
    *,
    name: str = "p",
    version: int = 1,
    head: str = "",
    applies_to: str = "always",
    escalations: str = "",
) -> str:
    """One entry of ``policies``."""
    ladders = f", escalations: {escalations}" if escalations else ""
    more = f", {head}" if head else ""
    return (
        f"  - {{policy: {name}, version: {version}, applies_to: {applies_to}, calendar: office{more}, "
        f"commitments: {commitments}{ladders}}}\n"
    )


def file(*policies: str, calendars: str = OFFICE, metrics: str = "{}") -> str:
    return f"calendars:\n  {calendars}\nmetrics: {metrics}\npolicies:\n" + "".join(policies)
