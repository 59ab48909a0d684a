"""Combinators that check the data of a document: sections, names, lists, numbers.

Every reader takes data and a report. It returns ``None`` after it has reported a problem. A reader can take another reader
for the parts of its data. Nothing here depends on the subject of the document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from enum import StrEnum
from typing import Final, TypeVar

from stream.documents.document import Report, Where

T = TypeVar("T")
R = TypeVar("R")
E = TypeVar("E", bound=StrEnum)
Reader = Callable[[object, Report], T | None]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def under(report: Report, *steps: str | int) -> Report:
    """A report whose places are relative to these steps."""

    def below(where: Where, message: str) -> None:
        report((*steps, *where), message)

    return below


def section(data: object, report: Report, keys: Iterable[str], required: Iterable[str] = ()) -> Mapping[str, object] | None:
    """Read a mapping. Report unknown and missing keys. ``None`` only if the data is not a mapping."""
    keys = list(keys)
    if not isinstance(data, Mapping):
        report((), f"must be a mapping with the keys {listed(keys)}, not {shown(data)}")
        return None
    for key in data:
        if key not in keys:
            report((str(key),), f"unknown key{suggestion(str(key), keys)}; known keys: {listed(keys)}")
    for key in required:
        if key not in data:
            report((), f"`{key}` is missing")
    return data


def part(data: Mapping[str, object], key: str, report: Report, read: Callable[[object, Report], R]) -> R | None:
    """Read the value of a key with ``read``. ``None`` if the key is missing."""
    return read(data[key], under(report, key)) if key in data else None


def part_or(data: Mapping[str, object], key: str, report: Report, read: Callable[[object, Report], R | None], default: R) -> R:
    """As ``part``, with a default for a missing key. After a problem, the default stands for what could not be read."""
    value = part(data, key, report, read)
    return default if value is None else value


def items(data: object, report: Report, read: Callable[[object, Report], R]) -> list[R] | None:
    """Read a list with at least one item. An item with a problem is ``None``."""
    if not isinstance(data, list) or not data:
        report((), f"must be a list with at least one item, not {shown(data)}")
        return None
    return [read(item, under(report, index)) for index, item in enumerate(data)]


def read_name(data: object, report: Report) -> str | None:
    """Read a name that is safe in ids, labels and paths."""
    text = as_text(data)
    if text is None or not _NAME.fullmatch(text):
        report((), f"must be a name of letters, digits, `-`, `_` and `.` (at most 64), not {shown(data)}")
        return None
    return text


def read_role(data: object, report: Report) -> str | None:
    """Read a role such as ``support-manager``. A policy must not contain addresses or phone numbers of people."""
    if isinstance(data, str) and "@" in data:
        report((), "must be a role such as `support-manager`, not an address: policies do not name people")
        return None
    return read_name(data, report)


def read_team(data: object, report: Report) -> str | None:
    """Read the name of a team as in the helpdesk, such as ``Tier 2 network``; never a person's address."""
    text = as_text(data)
    if not text or "@" in text or len(text) > 256:
        report((), f"must be the name of a team of at most 256 characters, not {shown(data)}")
        return None
    return text


def read_roles(data: object, report: Report) -> tuple[str, ...] | None:
    """Read one role or a list of roles."""
    roles = items(data if isinstance(data, list) else [data], report, read_role)
    return tuple(role for role in roles if role is not None) if roles else None


def read_word(words: type[E]) -> Reader[E]:
    """A reader for a word of an enumeration."""

    def read(data: object, report: Report) -> E | None:
        known = [word.value for word in words]
        if data not in known:
            report((), f"must be one of {listed(known)}, not {shown(data)}{suggestion(str(data), known)}")
            return None
        return words(data)

    return read


def read_yes_no(data: object, report: Report) -> bool | None:
    text = as_text(data)
    if text not in {"yes", "no"}:
        report((), f"must be yes or no, not {shown(data)}")
        return None
    return text == "yes"


def read_count(data: object, report: Report) -> int | None:
    """Read a whole number of at least 1."""
    if isinstance(data, bool) or not isinstance(data, int) or data < 1:
        report((), f"must be a whole number of at least 1, not {shown(data)}")
        return None
    return data


def as_text(data: object) -> str | None:
    """A scalar as in ticket fields: text unchanged, numbers as written, true and false as ``yes`` and ``no``."""
    if isinstance(data, bool):
        return "yes" if data else "no"
    if isinstance(data, str | int | float):
        return str(data)
    return None


def shown(data: object) -> str:
    """Data as the message of a problem quotes it: short, and as written in the file."""
    if data is None:
        return "nothing"
    if isinstance(data, Mapping):
        return "a mapping"
    if isinstance(data, list):
        return "a list" if data else "an empty list"
    text = data if isinstance(data, str) else str(data).lower()
    return f"`{text if len(text) <= 60 else text[:57] + '...'}`"


def listed(words: Iterable[str]) -> str:
    return ", ".join(words)


def suggestion(word: str, known: Iterable[str]) -> str:
    """``, did you mean `stops`?``, or empty. Whether letters are small or capital does not matter."""
    plain = {each.casefold(): each for each in known}
    close = get_close_matches(word.casefold(), plain, n=1, cutoff=0.65)
    return f", did you mean `{plain[close[0]]}`?" if close else ""
