"""The output of ``breachwatch replay --compare``: the commitments with another outcome, and a table of all outcomes."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Final

from stream.cli.replay_summary import aligned
from stream.runtime.outcome_changes import COMPARED
from stream.wire.counting import many
from stream.wire.instants import format_instant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.runtime.outcome_changes import Change, Judged

_NAMES: Final = ("policy", "commitment", "priority")
_Row = tuple[str, str, str]


class Comparison:
    """Counts the outcomes of both replays. A commitment counts in the row of its policy and priority after the change."""

    def __init__(self, changes: Iterable[Change]) -> None:
        self.changed: list[Change] = []
        self.all = 0
        self._before: Counter[tuple[_Row, str]] = Counter()
        self._after: Counter[tuple[_Row, str]] = Counter()
        self._changed: Counter[_Row] = Counter()
        for change in changes:
            self._add(change)

    def _add(self, change: Change) -> None:
        of_row = change.after or change.before
        if of_row is None:
            return
        row = (of_row.policy, change.commitment, of_row.priority)
        self.all += 1
        self._changed[row] += change.changes
        if change.changes:
            self.changed.append(change)
        if change.before:
            self._before[row, change.before.outcome] += 1
        if change.after:
            self._after[row, change.after.outcome] += 1

    def as_table(self) -> str:
        """Lines for people: ``12 -> 14`` where the number differs, and one number where it does not."""
        last = f"{len(self.changed)} of {many(self.all, 'commitment')} with another outcome"
        rows = []
        for row in sorted(self._changed):
            cells = [_pair(str(self._before[row, outcome]), str(self._after[row, outcome])) for outcome in COMPARED]
            shares = [_percent(_share(side, row)) for side in (self._before, self._after)]
            rows.append([*row, *cells, _pair(*shares), str(self._changed[row])])
        if not rows:
            return last
        rows.insert(0, [*_NAMES, *(outcome.replace("_", " ") for outcome in COMPARED), "% met", "changed"])
        return "\n".join([*aligned(rows), last])

    def as_json(self) -> str:
        """One line for programs, with the same facts."""
        rows = [
            {
                **dict(zip(_NAMES, row, strict=True)),
                "before": self._side(self._before, row),
                "after": self._side(self._after, row),
                "changed": self._changed[row],
            }
            for row in sorted(self._changed)
        ]
        return json.dumps({"commitments": self.all, "changed": len(self.changed), "rows": rows})

    @staticmethod
    def _side(side: Counter[tuple[_Row, str]], row: _Row) -> dict[str, float | None]:
        return {**{outcome: side[row, outcome] for outcome in COMPARED}, "met_share": _share(side, row)}


def change_line(change: Change) -> bytes:
    """A commitment with another outcome as a JSON line."""
    facts = {
        "ticket": change.ticket,
        "commitment": change.commitment,
        "cycle": change.cycle,
        "before": _judged(change.before),
        "after": _judged(change.after),
    }
    return json.dumps(facts, ensure_ascii=False).encode() + b"\n"


def _judged(side: Judged | None) -> dict[str, object] | None:
    if side is None:
        return None
    due_at = None if side.due_at is None else format_instant(side.due_at)
    return {**side._asdict(), "due_at": due_at}


def _share(side: Counter[tuple[_Row, str]], row: _Row) -> float | None:
    decided = side[row, "met"] + side[row, "breached"]
    return side[row, "met"] / decided if decided else None


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def _pair(before: str, after: str) -> str:
    return before if before == after else f"{before} -> {after}"
