"""The demo's display: a live table in a terminal or plain lines elsewhere, and a summary at the end."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stream.demo.totals import Totals
from stream.language.zones import read_tzinfo
from stream.sla.effects import Kind

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self
    from zoneinfo import ZoneInfo

    from stream.demo.webhook import Notification
    from stream.sla.effects import Effect
    from stream.wire.effect import DeadLetter

_WORDS: Final = {
    Kind.WARNED: ("warned", "yellow"),
    Kind.BREACHED: ("BREACHED", "bold red"),
    Kind.BREACH_RETRACTED: ("corrected", "bold green"),
    Kind.RAISED: ("escalated", "magenta"),
    Kind.RECURRED: ("recurred", "magenta"),
    Kind.ACKNOWLEDGED: ("acknowledged", "green"),
    Kind.REFUSED: ("request refused", "yellow"),
    Kind.ESCALATION_RETRACTED: ("corrected", "bold green"),
}
"""The effects that have a line; the others are only counted."""
_SHOWN: Final = 16


class View:
    """A context manager. In a terminal it redraws itself; elsewhere it prints a line for each event."""

    def __init__(self, console: Console, metrics_url: str) -> None:
        self.totals = Totals()
        self._console = console
        self._metrics_url = metrics_url
        self._zone = read_tzinfo("UTC")
        self._now: int | None = None
        self._progress = (0, 1)
        self._lines: deque[tuple[str, ...]] = deque(maxlen=_SHOWN)
        self._live = Live(console=console, get_renderable=self._picture, refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        else:
            self._console.print(f"Metrics while it runs: {self._metrics_url}")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.stop()

    def clock(self, now: int, published: int, total: int) -> None:
        """Show the instant of the feed (epoch microseconds) and its progress."""
        self._now = now
        self._progress = (published, total)

    def effect(self, effect: Effect) -> None:
        self.totals.effect(effect)
        if effect.kind not in _WORDS:
            return
        zone = self._zone = read_tzinfo(effect.timezone)
        word, style = _WORDS[effect.kind]
        about = " ".join(str(effect.fields.get(name, "")) for name in ("priority", "channel", "customer"))
        what = " ".join(part for part in (effect.commitment or effect.ladder, effect.level) if part)
        reason = f"{effect.reason} ({effect.escalation_kind})" if effect.escalation_kind else effect.reason
        if effect.assign_to:
            reason += f", assigned to {effect.assign_to}"
        due = "" if effect.due_at is None else f"due {_local(effect.due_at, zone)}"
        self._line(style, _local(effect.at, zone), word, effect.ticket, about, what, due, reason)

    def dead_letter(self, dead_letter: DeadLetter) -> None:
        self.totals.rejection(dead_letter.rejected.reason)
        key = (dead_letter.key or b"").decode(errors="replace")
        where = f"{dead_letter.topic}[{dead_letter.partition}]@{dead_letter.offset}"
        path = f" at {dead_letter.rejected.path}" if dead_letter.rejected.path else ""
        when = "" if self._now is None else _local(self._now, self._zone)
        self._line("cyan", when, "rejected", key, where, "", "", f"{dead_letter.rejected.reason}{path}")

    def notification(self, sent: Notification) -> None:
        """Show a notification that Alertmanager sent."""
        labels = " ".join(f"{name}={value}" for name, value in sorted(sent.labels.items()) if name != "alertname")
        style = "bold red" if sent.status == "firing" else "bold green"
        self._line(style, f"to {sent.receiver}", sent.status, sent.alert, labels, "", "", sent.summary)

    def summary(self) -> None:
        """Print the tables at the end."""
        self._console.print(self._commitments())
        if self.totals.corrected:
            self._console.print(f"Breaches retracted because the answer was in time: {self.totals.corrected}")
        self._console.print(_counts("Escalations raised", "level", dict(self.totals.raised())))
        self._console.print(_counts("Records rejected", "reason", dict(sorted(self.totals.rejected.items()))))

    def _line(self, style: str, *cells: str) -> None:
        if self._console.is_terminal:
            self._lines.append((style, *cells))
        else:
            when, word, ticket, *rest = cells
            text = f"{when:16}  {word:15}  {ticket:9}  {'  '.join(cell for cell in rest if cell)}"
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _picture(self) -> Group:
        published, total = self._progress
        now = "waiting for the worker" if self._now is None else f"{_local(self._now, self._zone)} {self._zone}"
        counts = self.totals.kinds
        head = Text.assemble(
            (f" {now} ", "bold reverse"),
            f"  feed {100 * published // total}%",
            f"   met {counts[Kind.MET]}",
            (f"   warned {counts[Kind.WARNED]}", "yellow"),
            (f"   breached {counts[Kind.BREACHED]}", "red"),
            (f"   escalated {counts[Kind.RAISED]}", "magenta"),
            (f"   rejected {sum(self.totals.rejected.values())}", "cyan"),
        )
        table = Table(box=None, expand=True, padding=(0, 2, 0, 0))
        for title in ("when", "what", "ticket", "about", "commitment", "deadline", "why"):
            table.add_column(title, no_wrap=True)
        for style, *cells in self._lines:
            table.add_row(*cells, style=style)
        return Group(head, Text(f" metrics: {self._metrics_url}   stop with Ctrl-C", "dim"), Text(), table)

    def _commitments(self) -> Table:
        table = Table(title="Commitments decided", title_justify="left")
        table.add_column("priority")
        for column in ("met", "breached", "% met"):
            table.add_column(column, justify="right")
        for priority, counts in self.totals.decided().items():
            met, breached = counts[Kind.MET], counts[Kind.BREACHED]
            table.add_row(priority, str(met), str(breached), f"{100 * met / (met + breached):.1f}%")
        return table


def _counts(title: str, of: str, counts: dict[str, int]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(of)
    table.add_column("count", justify="right")
    for name, count in counts.items():
        table.add_row(name, str(count))
    return table


def _local(instant: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(instant // 1_000_000, UTC).astimezone(zone).strftime("%a %d %b %H:%M")
