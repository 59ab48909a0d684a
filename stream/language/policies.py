"""Policy files to a ``PolicySet``: all files are read together and checked completely before any of it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from stream.documents.document import Document, PolicyError, Problem, Severity, read_document
from stream.documents.readers import items, read_name, section, shown, suggestion, under
from stream.language.calendar_holidays import warn_of_local_days
from stream.language.calendars import read_calendar
from stream.language.entry import Entry
from stream.language.lint import lint
from stream.language.lint_commitments import warn_of_incomplete_commitments
from stream.language.lint_definitions import warn_of_last_dates, warn_of_unused
from stream.language.lint_fields import Carried, warn_of_fields
from stream.language.lint_warnings import warn_of, warn_of_spellings
from stream.language.metrics import Written, read_metrics
from stream.language.policy import Reading, read_policy
from stream.language.renames import check_renames
from stream.language.scope import Scope
from stream.sla.calendar.calendar import Calendar, always
from stream.sla.policy.resolve import PolicySet

ALWAYS_OPEN: Final = "24x7"
"""The calendar that every policy may name without defining it."""

_SECTIONS: Final = ("calendars", "metrics", "policies")
_SHIPPED: Final = Path(str(resources.files("stream.policies")))
_SUFFIXES: Final = (".yaml", ".yml")


_Top = tuple[Document, Mapping[str, object]]
"""A file and its top-level sections."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of reading some files: the policies, unless one of the problems is an error, and every problem found."""

    policies: PolicySet | None
    problems: tuple[Problem, ...]


def load(names: Sequence[str | Path]) -> PolicySet:
    """The policies of these files, in their order. Each name is a path, or the name of a shipped policy.

    Raises PolicyError with every problem of all files if one of them is an error.
    """
    checked = check(names)
    if checked.policies is None:
        raise PolicyError(checked.problems)
    return checked.policies


def check(names: Sequence[str | Path], *, incomplete: bool = False, carried: Sequence[Carried] = ()) -> Checked:
    """Reads and checks files as ``load`` does, and gives the warnings as well. Never raises for what is in a file.

    ``incomplete``: warns of incomplete commitments too. ``carried``: warns of fields and values that these do not have.
    """
    documents = [_read(name) for name in names]
    tops = [(document, _read_top(document)) for document in documents]
    written_calendars, written_metrics = _by_name(tops, "calendars"), _by_name(tops, "metrics")
    calendars = _read_calendars(written_calendars)
    metrics = read_metrics({name: Written(entry.data, entry.report) for name, entry in written_metrics.items()})
    scope = Scope(metrics, calendars)
    entries = _read_policies(tops, scope)
    readings = [reading for _, reading in entries]
    usable = {name: calendar for name, calendar in calendars.items() if calendar is not None}
    lint(readings, usable)
    if not any(document.problems for document in documents):
        warn_of_unused(written_calendars, written_metrics, scope)
        warn_of_last_dates(written_calendars, scope, usable)
        for calendar in written_calendars.values():
            warn_of_local_days(calendar.data, calendar.warn)
        for entry, reading in entries:
            warn_of(reading.policy, entry.warn)
        if entries:
            warn_of_spellings([reading.policy for reading in readings], [entry.warn for entry, _ in entries])
        if incomplete:
            warn_of_incomplete_commitments([(reading.policy, entry.data, entry.warn) for entry, reading in entries])
        for each in carried:
            warn_of_fields([(reading.policy, entry.warn) for entry, reading in entries], each)
    problems = tuple(
        problem for document in documents for problem in sorted(document.problems, key=lambda problem: problem.line)
    )
    if any(problem.severity is Severity.ERROR for problem in problems):
        return Checked(None, problems)
    return Checked(PolicySet(tuple(r.policy for r in readings), usable), problems)


def shipped(name: str) -> Path:
    """The file of a policy that ships with breachwatch, such as ``batoi``.

    Raises ValueError, naming those that there are.
    """
    path = _SHIPPED / f"{name.removesuffix('.yaml')}.yaml"
    if path.name not in {file.name for file in _SHIPPED.glob("*.yaml")}:
        there = shipped_names()
        raise ValueError(f"no policy {name!r} ships with breachwatch{suggestion(name, there)}; there are: {', '.join(there)}")
    return path


def policy_file(name: str | Path) -> Path:
    """The file that a name given to ``--policies`` means: an existing file first, then a shipped policy.

    A name that is neither is taken as a path; reading it reports that it does not exist.
    """
    path = Path(name)
    if path.is_dir() or not (path.exists() or path.suffix in _SUFFIXES):
        try:
            return shipped(str(name))
        except ValueError:
            return path
    return path


def shipped_names() -> list[str]:
    """The names of the policies that ship with breachwatch."""
    return sorted(file.stem for file in _SHIPPED.glob("*.yaml"))


def _read(name: str | Path) -> Document:
    path = policy_file(name)
    try:
        path.stat()
    except FileNotFoundError:
        if str(path) != "-":
            return _missing(path)
    except OSError:
        pass  # the reader reports it
    return _folder(path) if path.is_dir() else read_document(path)


def _folder(path: Path) -> Document:
    """A folder, with a file of it that may be meant."""
    files = sorted(str(file) for file in path.glob("*") if file.suffix in _SUFFIXES)
    document = Document(str(path))
    document.unread(f"is a folder: name each of its policy files{f', such as {files[0]}' if files else '; it has none'}")
    return document


def _missing(path: Path) -> Document:
    """A file that does not exist, with those that may be meant."""
    beside = [str(file) for file in path.parent.glob("*") if file.suffix in _SUFFIXES]
    meant = suggestion(str(path), [*shipped_names(), *beside])
    document = Document(str(path))
    document.unread(
        f"there is no such file, and no such policy ships with breachwatch{meant}; there are: {', '.join(shipped_names())}"
    )
    return document


def _read_top(document: Document) -> Mapping[str, object]:
    if document.problems and document.data is None:
        return {}
    top = section(document.data, document.error, _SECTIONS)
    if top is not None and not top:
        document.error((), "the file is empty; it may have calendars, metrics and policies")
    return top or {}


def _by_name(tops: Sequence[_Top], key: str) -> dict[str, Entry]:
    """The entries of a mapping ``key`` of all files; a name that is given again is reported where it is."""
    entries: dict[str, Entry] = {}
    for document, top in tops:
        if key not in top:
            continue
        named = top[key]
        if not isinstance(named, Mapping):
            document.error((key,), f"must be a mapping from names to {key}, not {shown(named)}")
            continue
        for name, data in named.items():
            entry = Entry(document, (key, name), data)
            if name in entries:
                entry.report((), f"`{name}` is already defined at {entries[name]}")
            else:
                entries[name] = entry
    return entries


def _read_calendars(entries: Mapping[str, Entry]) -> dict[str, Calendar | None]:
    calendars: dict[str, Calendar | None] = {ALWAYS_OPEN: always(ALWAYS_OPEN)}
    for name, entry in entries.items():
        if name == ALWAYS_OPEN:
            entry.report((), f"`{ALWAYS_OPEN}` is always there; give a calendar of your own another name")
        elif read_name(name, entry.report) is not None:
            calendars[name] = read_calendar(name, entry.data, entry.report)
        else:
            calendars[name] = None
    return calendars


def _read_policies(tops: Sequence[_Top], scope: Scope) -> list[tuple[Entry, Reading]]:
    readings: list[tuple[Entry, Reading]] = []
    seen: dict[tuple[str, int], Entry] = {}
    for document, top in tops:
        if "policies" not in top:
            continue
        for index, data in enumerate(_listed(document, top["policies"])):
            entry = Entry(document, ("policies", index), data)
            reading = read_policy(data, entry.report, scope)
            if reading is None:
                continue
            key = (reading.policy.name, reading.policy.version)
            if key in seen:
                entry.report((), f"version {key[1]} of `{key[0]}` is already defined at {seen[key]}")
                continue
            seen[key] = entry
            readings.append((entry, reading))
    check_renames((reading.policy, reading.report) for _, reading in readings)
    return readings


def _listed(document: Document, data: object) -> list[object]:
    return items(data, under(document.error, "policies"), lambda item, _report: item) or []
