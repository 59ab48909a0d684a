"""Reads the files of ``breachwatch notify``: the rules, and the operator's file of who holds which role.

The second one has the destinations of people, so that the first one can be shown to everybody.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Final, NamedTuple

from stream.documents.document import Document, Severity, read_document
from stream.documents.readers import (
    items,
    listed,
    part,
    part_or,
    read_name,
    read_role,
    read_yes_no,
    section,
    shown,
    suggestion,
    under,
)
from stream.language.zones import UnknownZoneError, read_tzinfo
from stream.notify.destination_reader import read_destination, read_length
from stream.notify.match_reader import FIELD_KEYS, read_fields, read_match
from stream.notify.rules import Destination, Holder, Match, Route, Rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from zoneinfo import ZoneInfo

    from stream.documents.document import Problem, Report

_TOP: Final = ("destinations", "routes", "roles", "ticket_url", "zone", "max_age")
_ROUTE: Final = ("when", "to", "to_roles", "late", "provisional", "last")
_PLACEHOLDERS: Final = ("ticket", "number")


class RulesError(Exception):
    """The files are not usable. ``problems`` has every problem, each with its file and line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: Final = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class ReadRules(NamedTuple):
    """Usable rules, and what is likely wrong with them."""

    rules: Rules
    warnings: tuple[Problem, ...]


def read_rules(path: Path) -> ReadRules:
    """Read the rules and the file of roles that they name. Raises RulesError with every problem."""
    document = read_document(path)
    roles = Document("")
    rules = None
    if not document.problems:
        top = section(document.data, document.error, _TOP, ("destinations", "routes"))
        if top is not None:
            if (file := part(top, "roles", document.error, _path)) is not None:
                roles = read_document(path.parent / file)
            rules = _rules(top, document.error, roles)
            if not (document.problems or roles.problems):
                _warn_of_unused(rules, document)
    problems = [*_sorted(document.problems), *_sorted(roles.problems)]
    if rules is None or any(problem.severity is Severity.ERROR for problem in problems):
        raise RulesError(problems)
    return ReadRules(rules, tuple(problems))


def _rules(top: Mapping[str, object], report: Report, roles: Document) -> Rules:
    destinations: dict[str, Destination] = part_or(top, "destinations", report, _destinations, {})
    holders: list[Holder | None] = []
    if roles.data is not None:
        of_people = section(roles.data, roles.error, ("destinations", "roles"), ("roles",)) or {}
        people: dict[str, Destination] = part_or(of_people, "destinations", roles.error, _destinations, {})
        for name in people.keys() & destinations.keys():
            roles.error(("destinations", name), "the rules have a destination of this name already")
        destinations = {**destinations, **people}
        known = destinations
        holders = part_or(of_people, "roles", roles.error, lambda data, to: items(data, to, _holder_of(known)), [])
    known = destinations
    routes: list[Route | None] = part_or(top, "routes", report, lambda data, to: items(data, to, _route_of(known)), [])
    if any(route and route.to_roles for route in routes) and "roles" not in top:
        report((), "a route has `to_roles: yes`, so name the file of who holds which role: `roles: roles.yaml`")
    rules = Rules(
        destinations,
        tuple(filter(None, routes)),
        tuple(filter(None, holders)),
        part_or(top, "ticket_url", report, _ticket_url, ""),
        part(top, "zone", report, _zone),
    )
    return replace(rules, max_age=part_or(top, "max_age", report, read_length, rules.max_age))


def _destinations(data: object, report: Report) -> dict[str, Destination]:
    found: dict[str, Destination] = {}
    if not isinstance(data, dict) or not data:
        report((), f"must be a mapping of at least one destination, not {shown(data)}")
        return found
    for key, value in data.items():
        name = read_name(key, under(report, key))
        destination = None if name is None else read_destination(name, value, under(report, key))
        if name is not None:
            # Also if it has problems: a route that names it is right.
            found[name] = destination or Destination(name)
    return found


class _route_of:  # noqa: N801  a reader with its context
    def __init__(self, known: Mapping[str, Destination]) -> None:
        self._known: Final = known

    def __call__(self, data: object, report: Report) -> Route | None:
        keys = section(data, report, _ROUTE)
        if keys is None:
            return None
        to_roles = part_or(keys, "to_roles", report, read_yes_no, False)
        if "to" not in keys and not to_roles:
            report((), "a route needs `to`, a list of destinations, or `to_roles: yes`")
        return Route(
            part_or(keys, "when", report, read_match, Match()),
            part_or(keys, "to", report, _to(self._known), ()),
            to_roles,
            part_or(keys, "late", report, read_yes_no, False),
            part_or(keys, "provisional", report, read_yes_no, True),
            part_or(keys, "last", report, read_yes_no, False),
        )


class _holder_of:  # noqa: N801
    def __init__(self, known: Mapping[str, Destination]) -> None:
        self._known: Final = known

    def __call__(self, data: object, report: Report) -> Holder | None:
        keys = section(data, report, ("role", "to", *FIELD_KEYS, "field"), ("role", "to"))
        if keys is None:
            return None
        role = part(keys, "role", report, read_role)
        to = part(keys, "to", report, _to(self._known))
        fields = read_fields(keys, report)
        return None if role is None or to is None else Holder(role, fields, to)


class _to:  # noqa: N801
    def __init__(self, known: Mapping[str, Destination]) -> None:
        self._known: Final = known

    def __call__(self, data: object, report: Report) -> tuple[str, ...] | None:
        names = items(data if isinstance(data, list) else [data], report, self._name)
        return tuple(dict.fromkeys(name for name in names if name)) if names else None

    def _name(self, data: object, report: Report) -> str | None:
        if not isinstance(data, str) or data not in self._known:
            near = suggestion(str(data), self._known)
            report((), f"{shown(data)} is not one of the destinations{near}; there are: {listed(self._known) or 'none'}")
            return None
        return data


def _path(data: object, report: Report) -> Path | None:
    if not isinstance(data, str) or not data:
        report((), f"must be the path of a file, relative to this one, not {shown(data)}")
        return None
    return Path(data)


def _zone(data: object, report: Report) -> ZoneInfo | None:
    try:
        return read_tzinfo(str(data))
    except UnknownZoneError:
        report((), f"{shown(data)} is not an IANA time zone: use one such as Asia/Kolkata")
        return None


def _ticket_url(data: object, report: Report) -> str | None:
    text = data if isinstance(data, str) else ""
    try:
        names = [name for _, name, _, _ in Formatter().parse(text) if name is not None]
    except ValueError as error:
        report((), f"is not a template: {error}")
        return None
    unknown = [name for name in names if name not in _PLACEHOLDERS]
    if not text.startswith(("https://", "http://")) or not names or unknown:
        report(
            (),
            f"must be an address with {{ticket}}, or with {{number}} for what follows the last slash of the ticket, "
            f"such as https://desk.example.com/tickets/{{number}}, not {shown(data)}",
        )
        return None
    return text


def _warn_of_unused(rules: Rules, document: Document) -> None:
    used = {name for route in rules.routes for name in route.to} | {name for holder in rules.holders for name in holder.to}
    for name in rules.destinations:
        if name not in used and ("destinations", name) in document.lines:
            document.warning(("destinations", name), "no route and no role leads to this destination")
    for index, route in enumerate(rules.routes[:-1]):
        if route.last and route.match == Match():
            document.warning(("routes", index), "the routes below are never reached for the usual types: this one is `last`")


def _sorted(problems: list[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: problem.line)
