"""Reads the file of a desk: its address and login, which tickets it has, and what is written where."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from stream.documents.document import DocumentError, Report, read_document
from stream.documents.readers import items, listed, part, read_name, read_word, section, shown, under
from stream.runtime.secret_values import SecretError, checked
from stream.writeback.rule import Rule, TagRule
from stream.writeback.rule_reader import read_rule, read_text
from stream.writeback.system import SYSTEMS, System

if TYPE_CHECKING:
    from stream.documents.document import Document

_KEYS: Final = ("desk", "system", "url", "login", "tickets", "tags_field", "rate", "write")
_REQUIRED: Final = ("desk", "system", "url", "login", "tickets", "write")
_ID: Final = "{id}"
_MOST_A_MINUTE: Final = 6_000
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class LoginKind(StrEnum):
    """The authorisation of requests."""

    BASIC = "basic"
    BEARER = "bearer"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Login:
    """References to the secrets of the account, never the secrets."""

    kind: LoginKind
    secret: str
    user: str = ""


@dataclass(frozen=True, slots=True)
class DeskFile:
    """A valid file."""

    name: str
    system: System
    url: str
    login: Login
    before: str
    """The text in the names of its tickets before the id in the helpdesk; ``after``: the text that follows it."""
    after: str
    tags_field: str
    """The field that has the tags; empty: the helpdesk has tags of its own, or none are written."""
    rate: int
    """Requests a minute, at most."""
    rules: tuple[Rule, ...]

    def id_of(self, ticket: str) -> str | None:
        """The id of a ticket in the helpdesk; ``None`` if it is not one of this desk."""
        if not (ticket.startswith(self.before) and ticket.endswith(self.after)):
            return None
        found = ticket[len(self.before) : len(ticket) - len(self.after)]
        return found if self.system.ids.fullmatch(found) else None


def load(path: str) -> tuple[DeskFile, tuple[str, ...]]:
    """Read a file: the desk, and warnings. Raises DocumentError with every problem and its line."""
    document = read_document(Path(path))
    desk = None if document.problems else _read(document)
    problems = sorted(document.problems, key=lambda problem: problem.line)
    if desk is None or any(problem.severity == "error" for problem in problems):
        raise DocumentError(tuple(problems))
    return desk, tuple(map(str, problems))


def _read(document: Document) -> DeskFile | None:
    report = document.error
    data = section(document.data, report, _KEYS, _REQUIRED)
    if data is None:
        return None
    word = part(data, "system", report, read_word(SYSTEM_NAMES))
    system = None if word is None else SYSTEMS[word.value]
    url = part(data, "url", report, _read_url)
    if url and urlsplit(url).scheme == "http" and urlsplit(url).hostname not in _LOCAL:
        document.warning(("url",), "is not encrypted, and the login goes over it: use https")
    tags_field = part(data, "tags_field", report, read_text) or ""
    if system is None:
        return None
    if tags_field and not system.tags_in_field:
        report(("tags_field",), f"{system.name} has no tags in a field: remove it")
    login = part(data, "login", report, lambda given, at: _read_login(given, at, system))
    found = part(data, "write", report, lambda given, at: items(given, at, lambda each, to: read_rule(each, to, system)))
    rules = tuple(rule for rule in found or () if rule is not None)
    for number, rule in enumerate(rules):
        if rule.place in {other.place for other in rules[:number]}:
            report(("write", number), f"{rule.place} is written twice: keep one of the rules")
        if isinstance(rule, TagRule) and system.tags_in_field and not tags_field:
            report(("write", number), f"{system.name} has no tags: name the field that has them with tags_field")
    tickets = part(data, "tickets", report, _read_tickets)
    rate = part(data, "rate", report, _read_rate)
    name = part(data, "desk", report, read_name)
    if name is None or url is None or login is None or tickets is None:
        return None
    return DeskFile(name, system, url, login, *tickets, tags_field, rate or system.rate, rules)


SYSTEM_NAMES: Final = StrEnum("SYSTEM_NAMES", {name.replace("-", "_").upper(): name for name in SYSTEMS})  # type: ignore[misc]  # of a table


def _read_url(data: object, report: Report) -> str | None:
    parts = urlsplit(data.strip()) if isinstance(data, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        report((), f"must be an address such as https://desk.example, not {shown(data)}")
        return None
    if parts.username or parts.password or parts.query or parts.fragment:
        report((), "must have no user, no password, and nothing after ? or #: the login has a key of its own")
        return None
    return str(data).strip().rstrip("/")


def _read_login(data: object, report: Report, system: System) -> Login | None:
    found = section(data, report, ("basic", "bearer", "key"))
    if found is None:
        return None
    kinds = [kind for kind in LoginKind if kind in found]
    allowed = listed(system.logins)
    if len(kinds) != 1 or kinds[0] not in system.logins:
        report((), f"must have one login that {system.name} takes: {allowed}")
        return None
    kind, given = kinds[0], found[kinds[0]]
    if kind is not LoginKind.BASIC:
        secret = _read_secret(given, under(report, kind))
        return None if secret is None else Login(kind, secret)
    pair = section(given, under(report, kind), ("user", "password"), ("user", "password"))
    if pair is None or "user" not in pair or "password" not in pair:
        return None
    user = read_text(pair["user"], under(report, kind, "user"))
    secret = _read_secret(pair["password"], under(report, kind, "password"))
    return None if user is None or secret is None else Login(kind, secret, user)


def _read_secret(data: object, report: Report) -> str | None:
    try:
        return checked(data if isinstance(data, str) else "")
    except SecretError as error:
        report((), str(error))
        return None


def _read_tickets(data: object, report: Report) -> tuple[str, str] | None:
    if not isinstance(data, str) or data.count(_ID) != 1:
        report((), f"must be the name of a ticket with {{id}} for its id there, such as desk/{{id}}, not {shown(data)}")
        return None
    before, _, after = data.partition(_ID)
    return before, after


def _read_rate(data: object, report: Report) -> int | None:
    if isinstance(data, bool) or not isinstance(data, int) or not 0 < data <= _MOST_A_MINUTE:
        report((), f"must be a whole number of requests a minute, from 1 to {_MOST_A_MINUTE}, not {shown(data)}")
        return None
    return data
