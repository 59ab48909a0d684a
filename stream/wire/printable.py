"""Makes text of tickets safe to show on one line: in a terminal, in a log, in a message."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""The text with everything that is not printable written as an escape, such as ``\x1b`` or ``\n``.

    A ticket may contain anything. Control characters would move the cursor of a terminal, and a line break would begin a line
    that looks like one of ours.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode("ascii") for c in text)
