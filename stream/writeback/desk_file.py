"""Reads the file of a desk: its address and login, which tickets it has, and what is written where."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from stream.documents.document import DocumentError, Report, read_document
from stream.documents.readers import as_text, items, listed, part, read_name, read_word, section, shown, under
from stream.language.zones import UnknownZoneError, read_tzinfo
from stream.runtime.secret_values import SecretError, checked
from stream.writeback.rule import FieldRule, Form, Kind, Rule, TagRule
from stream.writeback.system import SYSTEMS, System
from stream.writeback.values import FLAGS, INSTANTS, Name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from stream.documents.document import Document

_KEYS: Final = ("desk", "system", "url", "login", "tickets", "tags_field", "rate", "write")
_REQUIRED: Final = ("desk", "system", "url", "login", "tickets", "write")
_FIELD_KEYS: Final = ("field", "value", "kind", "form", "zone", "table")
_TAG_KEYS: Final = ("tag", "when")
_ID: Final = "{id}"
_MOST_TEXT: Final = 255
_MOST_A_MINUTE: Final = 6_000
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_TAG: Final = re.compile(r"[^\s,\"']{1,100}")
_PROBE: Final = datetime(2031, 11, 22, 13, 14, 15, tzinfo=UTC)
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
    tags_field = part(data, "tags_field", report, _read_text) or ""
    if system is None:
        return None
    if tags_field and not system.tags_in_field:
        report(("tags_field",), f"{system.name} has no tags in a field: remove it")
    login = part(data, "login", report, lambda given, at: _read_login(given, at, system))
    found = part(data, "write", report, lambda given, at: items(given, at, lambda each, to: _read_rule(each, to, system)))
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


SYSTEM_NAMES: Final = StrEnum("SYSTEM_NAMES", {name.replace("-", "_").upper(): name for name in SYSTEMS})  # type: ignore[misc]


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
    user = _read_text(pair["user"], under(report, kind, "user"))
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


def _read_text(data: object, report: Report) -> str | None:
    text = as_text(data)
    if not text or len(text) > _MOST_TEXT or not text.isprintable():
        report((), f"must be a text of at most {_MOST_TEXT} characters in one line, not {shown(data)}")
        return None
    return text


def _read_rule(data: object, report: Report, system: System) -> Rule | None:
    if isinstance(data, dict) and "tag" in data:
        return _read_tag(data, report, system)
    found = section(data, report, _FIELD_KEYS, ("field", "value"))
    if found is None or "field" not in found or "value" not in found:
        return None
    name = _read_text(found["field"], under(report, "field"))
    value = read_word(Name)(found["value"], under(report, "value"))
    if name is None or value is None:
        return None
    if not system.writable(name):
        report(("field",), f"`{name}` is not written: {system.name} gets values in {system.fields_text}, never a public text")
        return None
    kind = part(found, "kind", report, read_word(Kind)) or Kind.TEXT
    form: Form | str = Form.DATE if name in system.dates else system.form
    if ("form" in found or "zone" in found) and value not in INSTANTS:
        report(("value",), f"`{value}` is not a time: `form` and `zone` are for {listed(sorted(INSTANTS))}")
    if "form" in found:
        form = _read_form(found["form"], under(report, "form")) or form
    zone = part(found, "zone", report, _read_zone)
    table = part(found, "table", report, _read_table) or {}
    if kind is Kind.NUMBER and value not in INSTANTS and not table:
        report(("kind",), f"`{value}` is not a number: give a table that has numbers")
    if kind is Kind.NUMBER and (wrong := [text for text in table.values() if not _NUMBER.fullmatch(text)]):
        report(("table",), f"`{wrong[0]}` is not a number, and the field takes numbers")
    if kind is Kind.NUMBER and value in INSTANTS:
        form = Form.UNIX
    return FieldRule(name, value, kind, form, zone, table)


def _read_tag(data: Mapping[str, object], report: Report, system: System) -> TagRule | None:
    found = section(data, report, _TAG_KEYS, _TAG_KEYS)
    if found is None or "when" not in found:
        return None
    if not system.tags:
        report(("tag",), f"{system.name} has no tags: write a field with `value: breached` instead")
        return None
    tag = as_text(found["tag"])
    if tag is None or not _TAG.fullmatch(tag):
        report(("tag",), f"must be a word of at most 100 characters, not {shown(found['tag'])}")
        return None
    when = read_word(Name)(found["when"], under(report, "when"))
    if when is not None and when not in FLAGS:
        report(("when",), f"`{when}` is neither yes nor no: use {listed(sorted(FLAGS))}")
        return None
    return None if when is None else TagRule(tag, when)


def _read_form(data: object, report: Report) -> Form | str | None:
    if data in [form.value for form in Form]:
        return Form(str(data))
    if isinstance(data, str) and "%" in data:
        try:
            if _PROBE.strftime(data).strip() and "%" not in _PROBE.strftime(data):
                return data
        except ValueError:
            pass  # reported below, as any other text
    report((), f"must be {listed(Form)} or a format such as %d.%m.%Y %H:%M, not {shown(data)}")
    return None


def _read_zone(data: object, report: Report) -> ZoneInfo | None:
    try:
        return read_tzinfo(str(data))
    except UnknownZoneError as error:
        report((), str(error))
        return None


def _read_table(data: object, report: Report) -> dict[str, str] | None:
    if not isinstance(data, dict) or not data:
        report((), f"must be a table of values and what the helpdesk calls them, not {shown(data)}")
        return None
    table: dict[str, Any] = {}
    for key, value in data.items():
        text = _read_text(value, under(report, key))
        if text is not None:
            table[key] = text
    return table
