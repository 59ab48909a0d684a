"""The summary of ``breachwatch replay``, as a table or as JSON."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Final

from stream.runtime.outcomes import OUTCOMES, Counted
from stream.wire.counting import many

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stream.runtime.backtest_slice import Totals

_NAMES: Final = len(Counted._fields)
"""The columns with names. They are followed by columns with numbers."""


def as_table(totals: Totals, refused: Counter[str], effects: int) -> str:
    """Lines for people: a table of the commitments, and a line of what was read. ``refused``: lines by reason."""
    events = ", ".join(f"{count} {outcome}" for outcome, count in sorted(totals.events.items()))
    why = ", ".join(f"{count} {reason}" for reason, count in sorted(refused.items()))
    read = (
        f"{many(totals.tickets, 'ticket')}, {totals.unmatched} without a commitment; events: {events or 'none'}; "
        f"refused: {why or 'none'}; {many(effects, 'effect')}"
    )
    rows = []
    for counted, counts in _by_row(totals):
        share = _met_share(counts)
        numbers = [str(counts[outcome]) for outcome in OUTCOMES]
        rows.append([*counted, *numbers, "" if share is None else f"{100 * share:.1f}"])
    if not rows:
        return read
    rows.insert(0, [*Counted._fields, *(outcome.replace("_", " ") for outcome in OUTCOMES), "% met"])
    return "\n".join([*aligned(rows), read])


def as_json(totals: Totals, refused: Counter[str], effects: int) -> str:
    """One line for programs, with the same facts. ``met_share`` is ``null`` where nothing was met or breached."""
    commitments = [
        {**counted._asdict(), **{outcome: counts[outcome] for outcome in OUTCOMES}, "met_share": _met_share(counts)}
        for counted, counts in _by_row(totals)
    ]
    return json.dumps(
        {
            "tickets": totals.tickets,
            "unmatched": totals.unmatched,
            "events": {outcome.value: count for outcome, count in sorted(totals.events.items())},
            "refused": dict(sorted(refused.items())),
            "effects": effects,
            "commitments": commitments,
        }
    )


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the rows as lines: columns of names to the left, columns of numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:_NAMES], widths[:_NAMES], strict=True)]
        cells += [cell.rjust(width) for cell, width in zip(row[_NAMES:], widths[_NAMES:], strict=True)]
        yield "  ".join(cells).rstrip()


def _by_row(totals: Totals) -> list[tuple[Counted, Counter[str]]]:
    found: dict[Counted, Counter[str]] = {}
    for (counted, outcome), count in totals.commitments.items():
        if count:
            found.setdefault(counted, Counter())[outcome] += count
    return sorted(found.items())


def _met_share(counts: Counter[str]) -> float | None:
    decided = counts["met"] + counts["breached"]
    return counts["met"] / decided if decided else None
