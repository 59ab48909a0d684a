"""Reads the ``signature`` of a mapping: the name of a scheme, and what differs from it. A mapping never has a secret."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from stream.documents.readers import listed, section, shown, suggestion
from stream.feeds.signature import OWN_HEADER, SCHEMES
from stream.sla.calendar.duration import Clock, Duration, DurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.documents.document import Report
    from stream.feeds.signature import Scheme

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_SECRET_HINT: Final = "a mapping has no secrets: give it to the gateway as env:NAME or file:/path"  # noqa: S105  a message


def read_signature(data: object, report: Report) -> Scheme | None:
    """Read ``{scheme, header, tolerance}``, or the name of a scheme alone. ``None`` after its problems have been reported."""
    if isinstance(data, str):
        data = {"scheme": data}
    if isinstance(data, dict) and "secret" in data:
        report(("secret",), _SECRET_HINT)
        return None
    read = section(data, report, ("scheme", "header", "prefix", "tolerance"), ("scheme",))
    if read is None or "scheme" not in read:
        return None
    name = read["scheme"]
    if not isinstance(name, str) or name not in SCHEMES:
        report(("scheme",), f"{shown(name)} is not a scheme{suggestion(str(name), SCHEMES)}: use one of {listed(SCHEMES)}")
        return None
    scheme = _with_header(SCHEMES[name], read, report)
    return _with_tolerance(scheme, read, report)


def _with_header(scheme: Scheme, read: Mapping[str, object], report: Report) -> Scheme:
    if "header" not in read:
        if scheme.name in OWN_HEADER:
            report((), f"`header` is missing: the scheme {scheme.name} needs the name of the header")
        return scheme if "prefix" not in read else _with_prefix(scheme, read, report)
    header = read["header"]
    if not isinstance(header, str) or not _HEADER_NAME.fullmatch(header):
        report(("header",), f"must be the name of a header such as X-Signature, not {shown(header)}")
    elif scheme.name == "token":
        report(("header",), "the scheme token takes the secret from the path; use the scheme header for a header")
    else:
        scheme = replace(scheme, header=header.lower())
    return _with_prefix(scheme, read, report) if "prefix" in read else scheme


def _with_prefix(scheme: Scheme, read: Mapping[str, object], report: Report) -> Scheme:
    prefix = read["prefix"]
    if scheme.name not in OWN_HEADER or not isinstance(prefix, str):
        report(("prefix",), f"must be text such as sha256=, and belongs to the schemes {listed(OWN_HEADER)}")
        return scheme
    return replace(scheme, prefix=prefix)


def _with_tolerance(scheme: Scheme, read: Mapping[str, object], report: Report) -> Scheme:
    if "tolerance" not in read:
        return scheme
    if not scheme.timestamp_header:
        report(("tolerance",), f"requests of the scheme {scheme.name} have no signed timestamp; remove it")
        return scheme
    try:
        duration = Duration.parse(str(read["tolerance"]))
    except DurationError as error:
        report(("tolerance",), str(error))
        return scheme
    if duration.clock is not Clock.WALL or duration.months:
        report(("tolerance",), "must be wall time, such as 5m or 2d")
        return scheme
    return replace(scheme, tolerance=duration.micros)
