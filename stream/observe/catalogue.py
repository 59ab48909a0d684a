"""Every metric of breachwatch as data: name, type, labels, meaning. ``docs/metrics.md`` is printed from here.

    python -m stream.observe.catalogue > docs/metrics.md

The rules and dashboards are tested against this table, so that none of them can ask for a metric nobody exports.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from prometheus_client import Counter, Gauge, Histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

MetricType = Literal["counter", "gauge", "histogram"]


class Spec(NamedTuple):
    """One metric. ``buckets`` are upper bounds, for histograms; ``+Inf`` is added by the client."""

    name: str
    type: MetricType
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()

    @property
    def series(self) -> tuple[str, ...]:
        """The names under which Prometheus stores it."""
        if self.type == "histogram":
            return (f"{self.name}_bucket", f"{self.name}_sum", f"{self.name}_count")
        return (self.name,)


_WHOM: Final = ("policy", "commitment", "priority", "team")
_WHAT: Final = ("policy", "commitment")
_MINUTE: Final = 60.0
_HOUR: Final = 3600.0
_DAY: Final = 86_400.0
# From a chat answered in a minute to a ticket solved after fifteen working days of eight hours.
_LENGTHS: Final = (
    *(m * _MINUTE for m in (1, 5, 15, 30)),
    *(h * _HOUR for h in (1, 2, 4, 8, 16, 24, 40, 80, 120)),
    *(d * _DAY for d in (10, 30)),
)

EVENTS: Final = Spec(
    "sla_events_total",
    "counter",
    ("type", "result"),
    "Sound events handled. result: applied (in order), late (came after younger ones and was put in its place), "
    "duplicate (its id was known), ignored (changed nothing). Rejected ones are counted apart.",
)
REJECTED: Final = Spec(
    "sla_events_rejected_total",
    "counter",
    ("reason",),
    "Records refused and sent to the topic of rejected events.",
)
UNMATCHED: Final = Spec(
    "sla_tickets_unmatched_total",
    "counter",
    (),
    "Tickets to which no policy promises anything, for instance because their priority is in none.",
)
STARTED: Final = Spec(
    "sla_commitments_started_total",
    "counter",
    _WHOM,
    "Stopwatches started, those without a target included. Stays at 0 where the started effects are switched off.",
)
DECIDED: Final = Spec(
    "sla_commitments_total",
    "counter",
    (*_WHOM, "outcome"),
    "Verdicts: met in time, breached at the instant the target passed, or cancelled. One that is undone stays counted "
    "here and is counted beside it: in sla_retractions_total when a late event showed that it never was so, in "
    "sla_commitments_reopened_total when the ticket was reopened. Each commitment counts once in met less "
    "retracted met less reopenings, and in breached less retracted breaches.",
)
RETRACTIONS: Final = Spec(
    "sla_retractions_total",
    "counter",
    (*_WHOM, "kind"),
    "Commitment effects taken back because a late event changed the record. kind: breach, met, reopening (of a met "
    "commitment: it stays met), or other (a warning, a start, ...).",
)
REOPENED: Final = Spec(
    "sla_commitments_reopened_total",
    "counter",
    _WHOM,
    "Met commitments that are open again because the ticket was reopened: each will get another verdict. Under the "
    "priority and team of then, so only sums over these two can be compared with the verdicts. One that is taken back is "
    "counted in sla_retractions_total as well (kind=reopening).",
)
LATE_BREACHES: Final = Spec(
    "sla_late_breaches_total",
    "counter",
    _WHAT,
    "Breaches learnt from an event that came late: corrections of the record, not news to page for. They are in "
    "sla_commitments_total as well; the burn rate alerts leave them out, compliance counts them.",
)
WARNINGS: Final = Spec(
    "sla_warnings_total",
    "counter",
    (*_WHAT, "stage"),
    "Warnings given, by the mark of the policy that was passed (75%, 2bd, -30m).",
)
ESCALATIONS: Final = Spec(
    "sla_escalations_total",
    "counter",
    ("policy", "ladder", "level", "reason"),
    "Escalation levels raised, anew or again after a recurrence; repetitions of a level are not counted.",
)
EFFECTS: Final = Spec("sla_effects_total", "counter", ("type",), "Effects sent, of every type.")
TIME: Final = Spec(
    "sla_commitment_time_seconds",
    "histogram",
    _WHAT,
    "Time used when a commitment was fulfilled, in time, late or without a target; on the clock of its target "
    "(business time where the target is business time), pauses apart. What is not fulfilled yet is not in it.",
    _LENGTHS,
)
USED: Final = Spec(
    "sla_commitment_used_ratio",
    "histogram",
    _WHAT,
    "Share of the target used when a commitment was fulfilled; above 1: late.",
    (0.25, 0.5, 0.75, 0.9, 1.0, 1.25, 1.5, 2.0, 4.0),
)
PAUSED: Final = Spec(
    "sla_commitment_paused_seconds",
    "histogram",
    _WHAT,
    "Time paused when a commitment was fulfilled, on the same clock as the time used.",
    _LENGTHS,
)
DELAY: Final = Spec(
    "sla_breach_detection_delay_seconds",
    "histogram",
    (),
    "From the instant of a breach to its detection, on the wall clock: the detector's own service level. Breaches "
    "learnt from a late event are not in it, nor anything where time is what the feed says (clock mode event).",
    (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0),
)
OPEN: Final = Spec(
    "sla_open_commitments",
    "gauge",
    (*_WHOM, "state"),
    "Commitments not fulfilled yet, of the partitions this worker owns: running, paused, or breached and still owed.",
)
LAST_EVENT: Final = Spec(
    "sla_last_event_timestamp_seconds",
    "gauge",
    ("partition",),
    "The youngest event time seen in each partition this worker owns.",
)
PARTITIONS_OWNED: Final = Spec("sla_partitions_owned", "gauge", (), "Input partitions this worker owns.")
PARTITIONS_LIVE: Final = Spec(
    "sla_partitions_live",
    "gauge",
    (),
    "Owned partitions that have caught up with their backlog, so that deadlines fire by the clock.",
)
LAST_WAKEUP: Final = Spec(
    "sla_last_wakeup_timestamp_seconds",
    "gauge",
    (),
    "Wall clock when deadlines were last looked at; 0 before the first time.",
)
CLOCK_STEPS: Final = Spec(
    "sla_clock_steps_total",
    "counter",
    ("direction",),
    "Times the machine's clock was set by more than a second while the worker ran: ahead or back. Deadlines go by it.",
)
OBJECTIVE: Final = Spec(
    "sla_objective_ratio",
    "gauge",
    _WHAT,
    "The share of commitments that is to be met, from the newest version of the policy.",
)
TARGET: Final = Spec(
    "sla_target_seconds",
    "gauge",
    (*_WHAT, "priority", "clock"),
    "The target from the newest version of the policy, on its clock: business seconds (a business day as long as the "
    "calendar says) or wall seconds. Left out where priority alone does not settle it, and for calendar months.",
)
TOP_LEVEL: Final = Spec(
    "sla_escalation_top_level",
    "gauge",
    ("policy", "ladder", "level"),
    "1 for the last rung of each ladder, so that alerts can find it.",
)
BUILD: Final = Spec("sla_detector_build_info", "gauge", ("version",), "1, with the version of breachwatch.")

CATALOGUE: Final = (
    EVENTS,
    REJECTED,
    UNMATCHED,
    STARTED,
    DECIDED,
    RETRACTIONS,
    REOPENED,
    LATE_BREACHES,
    WARNINGS,
    ESCALATIONS,
    EFFECTS,
    TIME,
    USED,
    PAUSED,
    DELAY,
    OPEN,
    LAST_EVENT,
    PARTITIONS_OWNED,
    PARTITIONS_LIVE,
    LAST_WAKEUP,
    CLOCK_STEPS,
    OBJECTIVE,
    TARGET,
    TOP_LEVEL,
    BUILD,
)

_PREFACE: Final = """\
# Metrics

<!-- Generated: python -m stream.observe.catalogue > docs/metrics.md -->

A worker serves these at `/metrics` (port 9300 unless set otherwise), beside the usual `process_*` metrics. Asked for
OpenMetrics, it adds exemplars: a breach carries the ticket it is about. No ticket, customer or agent is ever a label.

Every label set the policies let us foresee exists from the start with the value 0, and the label sets of a ticket
exist from the moment its stopwatch runs, so that the first breach of a team is an increase like any other. An empty
`priority` or `team` is a ticket that has none. The first 50 teams and the first 10 priorities that no policy names
keep their names, further ones are counted as `other`; so is everything once 2,000 combinations of policy, commitment,
priority and team are known.

With several workers each counts what it did and shows what it owns: sum over them. While partitions move from one
worker to another an open commitment may for a moment be shown twice or not at all.
"""


def counter(spec: Spec, registry: CollectorRegistry) -> Counter:
    """The counter on a registry."""
    return Counter(spec.name, spec.help, spec.labels, registry=registry)


def gauge(spec: Spec, registry: CollectorRegistry) -> Gauge:
    """The gauge on a registry."""
    return Gauge(spec.name, spec.help, spec.labels, registry=registry)


def histogram(spec: Spec, registry: CollectorRegistry) -> Histogram:
    """The histogram on a registry, with its buckets."""
    return Histogram(spec.name, spec.help, spec.labels, registry=registry, buckets=spec.buckets)


def as_markdown() -> str:
    """The text of ``docs/metrics.md``."""
    lines = [_PREFACE, "| metric | type | labels | meaning |", "|---|---|---|---|"]
    for spec in CATALOGUE:
        labels = ", ".join(f"`{label}`" for label in spec.labels) or "none"
        lines.append(f"| `{spec.name}` | {spec.type} | {labels} | {spec.help} |")
    lines += ["", "## Buckets", "", "| histogram | upper bounds |", "|---|---|"]
    for spec in CATALOGUE:
        if spec.buckets:
            lines.append(f"| `{spec.name}` | {', '.join(f'{bound:g}' for bound in spec.buckets)} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
