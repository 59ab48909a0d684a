"""The form of what breachwatch stores: a number by which a release knows whether it can read a value.

A JSON value states it as ``form``; without it, it is 1. Within a form keys may be added, but only such that an older release
may ignore and lose: it drops them when it writes the value again. Any other change is another form. From form 2 on a value also
states the ``release`` that wrote it. ``docs/guides/upgrade.md`` has the rule by which releases change forms.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from stream import __version__

_RELEASE: Final = re.compile(r"[0-9][0-9a-z.+]{0,31}")
"""Anything else does not go into a command that people copy."""


class NewerReleaseError(Exception):
    """A newer release wrote this, in a form that this one cannot read. The text states what to do; a restart does not help."""


class _Stamp(msgspec.Struct):
    form: int = 1
    release: str = ""


_stamp: Final = msgspec.json.Decoder(_Stamp).decode


def check_form(value: bytes, known: int, what: str) -> None:
    """Raises NewerReleaseError for a JSON value of a form above ``known``. ``what``: the value, as the subject of the text.

    Bytes that state no form pass: whoever decodes them finds out what is wrong with them.
    """
    try:
        stamp = _stamp(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if stamp.form > known:
        raise NewerReleaseError(unreadable(f"{what} has form {stamp.form}", f"forms up to {known}", stamp.release))


def unreadable(what: str, reads: str, release: str = "") -> str:
    """A report of a value that only a newer release can read. ``release``: the one that wrote it, if that is known."""
    known = _RELEASE.fullmatch(release) is not None
    wrote = f"breachwatch {release}" if known else "a newer breachwatch"
    wanted = f"breachwatch=={release}" if known else "--upgrade breachwatch"
    return (
        f"{what}; {wrote} wrote it, and this is {__version__}, which reads {reads}: run `pip install {wanted}`; nothing was "
        "changed (docs/guides/upgrade.md)"
    )
