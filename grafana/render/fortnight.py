"""Two weeks of a simulated desk in a Prometheus, backfilled from the metrics that a worker would have exported.

The engine processes the feed in its own time and updates the real metrics objects. Every twenty minutes of that time their
values are written as OpenMetrics with timestamps. ``promtool`` makes blocks of them, then of the recording rules and alerts,
which are evaluated over the same time.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import msgspec
import yaml
from scraped import ROOT, Prometheus, running

from stream.demo.command import write_policy
from stream.demo.feed import HOUR, MINUTE, START, feed
from stream.language.policies import load
from stream.observe.metrics.registry import Metrics
from stream.sla.engine import Engine, Outcome
from stream.sla.playback import Playback
from stream.wire.decode import Rejected, decode
from stream.wire.ticket_event import Incoming

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stream.observe.metrics.registry import Result
    from stream.sla.effects import Effect
    from stream.sla.events import Event
    from stream.sla.ticket.state import State

DAY: Final = 24 * HOUR
EVERY: Final = 20 * MINUTE
ENDED: Final = START + 25 * DAY + 6 * HOUR + HOUR // 2
"""A Friday, half past two in the afternoon: the desk is busy."""
BEGAN: Final = ENDED - 14 * DAY
"""Before it lies the desk's first feed, so that no window of a rule begins empty."""
PARTITIONS: Final = 4
_ENDS: Final = ("ticket.deleted", "ticket.merged")
_DESKS: Final = 3
"""As many feeds run side by side."""
_FLAGS: Final = ["--storage.tsdb.retention.time=100y", "--query.lookback-delta=25m"]
_LABELS: Final = 'instance="worker-1:9300",job="breachwatch"'
_RESULTS: Final[dict[Outcome, Result]] = {
    Outcome.APPLIED: "applied",
    Outcome.LATE: "late",
    Outcome.DUPLICATE: "duplicate",
}


@contextmanager
def fortnight() -> Iterator[Prometheus]:
    """A Prometheus that knows the two weeks. Needs ``promtool``; raises CalledProcessError when it refuses the samples."""
    with tempfile.TemporaryDirectory(prefix="breachwatch-fortnight-") as name:
        folder = Path(name)
        (folder / "prometheus.yml").write_text("{}", "utf-8")
        _backfill(folder, _samples(folder))
        for evaluate in (_recorded, _alerted):
            with running(folder, _FLAGS) as prometheus:
                samples = list(evaluate(prometheus))
            _backfill(folder, samples)
        with running(folder, _FLAGS) as prometheus:
            prometheus.began, prometheus.ended = BEGAN / 1e6, ENDED / 1e6
            yield prometheus


def _backfill(folder: Path, samples: Iterable[str]) -> None:
    with (folder / "samples.txt").open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in samples)
        file.write("# EOF\n")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet", "--max-block-duration=486h"]
    subprocess.run([*command, "samples.txt", "tsdb"], cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603


def _events() -> Iterator[tuple[int, str, Event | None, str]]:
    """Instant, ticket and event, in order; instead of an event, a reason for rejection."""
    policies = ROOT / "stream/policies/batoi.yaml"
    hours = load([policies]).calendars["batoi-office"]
    found: list[tuple[int, str, Event | None, str]] = []
    ended: set[str] = set()
    for desk in range(_DESKS):
        for half in range(2):
            shift = half * 14 * DAY
            for record in feed(hours, seed=19 + 2 * desk + half):
                heard = decode(record.key, record.value, now=None)
                at = record.at + shift
                if isinstance(heard, Incoming):
                    ticket = f"{heard.ticket}-{desk}{half}"
                    event = msgspec.structs.replace(heard.event, at=heard.event.at + shift)
                    found.append((at, ticket, event, ""))
                    # A feed ends in the middle of its last tickets; those of the first half would stay open for good.
                    if half or event.type in _ENDS or event.fields.get("status") == "solved":
                        ended.add(ticket)
                elif isinstance(heard, Rejected):
                    found.append((at, "", None, heard.reason))
    return iter(sorted((one for one in found if one[1] in ended or one[2] is None), key=lambda one: one[0]))


def _samples(folder: Path) -> Iterator[str]:
    """The metrics of a worker at each sampling instant."""
    desk = _Desk(Engine(load([write_policy(folder)])))
    instant = START
    for at, ticket, event, reason in _events():
        while instant <= min(at, ENDED):
            yield from desk.scrape(instant)
            instant += EVERY
        if at > ENDED:
            return
        if event is None:
            desk.metrics.rejected(reason)
        else:
            desk.take(ticket, event)


class _Desk:
    """What a worker is to its metrics."""

    def __init__(self, engine: Engine) -> None:
        self._playback = Playback(engine)
        self._now = START
        self.metrics = Metrics(engine.policies, now=lambda: self._now)
        self._counts = [self.metrics.open_commitments.begin(number) for number in range(PARTITIONS)]
        self._counted: dict[str, State] = {}
        self._dice = Random(3)  # noqa: S311  the same every time, on purpose
        for number in range(PARTITIONS):
            self.metrics.partition(number, watermark=START, live=True)

    def take(self, ticket: str, event: Event) -> None:
        """Process one event, after the timers that fall due before it."""
        playback = self._playback
        self._pass_to(max(event.at, playback.watermark or 0))
        step = playback.apply(ticket, event)
        if step.outcome in _RESULTS:
            self.metrics.event(event.type, _RESULTS[step.outcome])
        if step.unmatched:
            self.metrics.unmatched()
        self.metrics.partition(crc32(ticket.encode()) % PARTITIONS, watermark=event.at)
        self._count(ticket, step.effects)

    def scrape(self, instant: int) -> list[str]:
        """The samples as of an instant."""
        self._pass_to(instant)
        self._now = instant
        self.metrics.woke(instant)
        lines = [f"up{{{_LABELS}}} 1 {instant // 1_000_000}"]
        for family in self.metrics.registry.collect():
            if family.name.startswith("sla_"):
                lines += (_line(sample.name, sample.labels, sample.value, instant) for sample in family.samples)
        return lines

    def _pass_to(self, instant: int) -> None:
        """Fire the timers up to an instant, each some tenths of a second after it is due."""
        playback = self._playback
        while playback.soonest is not None and playback.soonest <= instant:
            at = min(instant, playback.soonest + int(self._dice.uniform(0.02, 0.4) * 1_000_000))
            for _, ticket, effects in playback.wakes(at):
                self._count(ticket, effects)

    def _count(self, ticket: str, effects: Iterable[Effect]) -> None:
        before, after = self._counted.get(ticket), self._playback.states[ticket]
        self._counts[crc32(ticket.encode()) % PARTITIONS].change(before, after)
        self._counted[ticket] = after
        self.metrics.effects(effects, clock_is_wall=True)


def _line(name: str, labels: dict[str, str], value: float, instant: int) -> str:
    named = "".join(f',{key}="{text}"' for key, text in labels.items())
    return f"{name}{{{_LABELS}{named}}} {value} {instant // 1_000_000}"


def _rules() -> Iterator[dict[str, Any]]:
    for file in sorted((ROOT / "prometheus/rules").glob("*.yml")):
        for group in yaml.safe_load(file.read_text("utf-8"))["groups"]:
            yield from group["rules"]


def _recorded(prometheus: Prometheus) -> Iterator[str]:
    """The recording rules over the two weeks. A rule that reads another has its expression in place of the record."""
    expressions: dict[str, str] = {}
    for rule in _rules():
        if name := rule.get("record"):
            text = re.sub(r"\b\w+:\w+:\w+\b", lambda found: f"({expressions[found[0]]})", rule["expr"])
            expressions[name] = text.replace("[30d:5m]", "[30d:20m]")
            yield from _series(prometheus, name, expressions[name])


def _alerted(prometheus: Prometheus) -> Iterator[str]:
    """The alerts over the two weeks; they read the records."""
    for rule in _rules():
        if "alert" in rule:
            yield from _alerts(prometheus, rule)


def _series(prometheus: Prometheus, name: str, text: str) -> Iterator[str]:
    for series in _over_the_time(prometheus, text):
        named = {key: value for key, value in series["metric"].items() if key != "__name__"}
        for at, value in series["values"]:
            yield f"{name}{{{_pairs(named)}}} {value} {at}"


def _alerts(prometheus: Prometheus, rule: dict[str, Any]) -> Iterator[str]:
    """``ALERTS`` and ``ALERTS_FOR_STATE`` where the expression has been true for as long as the rule wants."""
    wanted = _seconds(rule.get("for", "0s"))
    for series in _over_the_time(prometheus, rule["expr"]):
        named = {key: value for key, value in series["metric"].items() if key != "__name__"}
        named |= {key: value for key, value in rule.get("labels", {}).items() if "{{" not in value}
        labels = _pairs(named | {"alertname": rule["alert"]})
        since, before = 0.0, 0.0
        for at, _ in series["values"]:
            since = at if at - before > EVERY / 1e6 else since
            before = at
            if at - since >= wanted:
                yield f'ALERTS{{{labels},alertstate="firing"}} 1 {at}'
                yield f"ALERTS_FOR_STATE{{{labels}}} {since} {at}"


def _over_the_time(prometheus: Prometheus, text: str) -> list[dict[str, Any]]:
    found = prometheus.ask("query_range", query=text, start=BEGAN / 1e6, end=ENDED / 1e6, step=EVERY / 1e6)
    result: list[dict[str, Any]] = found["result"]
    return result


def _pairs(labels: dict[str, str]) -> str:
    return ",".join(f'{key}="{value}"' for key, value in labels.items())


def _seconds(text: str) -> float:
    return float(text[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[text[-1]]
