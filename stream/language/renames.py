"""The key ``was``: a policy, commitment, ladder or level is the same thing under a new name.

A name and its former name are looked up side by side: policies among all files that are loaded together, commitments and
ladders among those of their version, levels among those of their ladder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from stream.documents.readers import part, read_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stream.documents.document import Report


class Renamed(Protocol):
    """A thing with a name that may have had another name."""

    @property
    def name(self) -> str: ...

    @property
    def was(self) -> str: ...


def read_was(entry: Mapping[str, object], report: Report, name: str | None) -> str:
    """The former name of the thing that is called ``name`` now; empty if it has none."""
    was = part(entry, "was", report, read_name)
    if was is None:
        return ""
    if was == name:
        report(("was",), f"`{was}` is the present name: give the former one, or take `was` away")
        return ""
    return was


def check_renames(things: Iterable[tuple[Renamed, Report]]) -> None:
    """Reports former names that are still in use, that two things claim, or that versions of one policy disagree about."""
    things = list(things)
    present = {thing.name for thing, _ in things}
    claimed: dict[str, str] = {}
    former: dict[str, str] = {}
    for thing, report in things:
        if not thing.was:
            continue
        if thing.was in present:
            report(("was",), f"`{thing.was}` is still there under this name: take `was` away, or rename that one too")
        elif claimed.setdefault(thing.was, thing.name) != thing.name:
            report(("was",), f"`{claimed[thing.was]}` was `{thing.was}` already: one thing cannot become two")
        elif former.setdefault(thing.name, thing.was) != thing.was:
            report(("was",), f"another version of `{thing.name}` was `{former[thing.name]}`: give both the same former name")
