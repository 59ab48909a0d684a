"""Write the dashboards: ``python grafana/build.py``. The JSON is committed, and a test says whether it is current."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from panels import (
    GREEN,
    GREY,
    ORANGE,
    RED,
    colour,
    column,
    dashboard,
    label_variable,
    lines,
    number,
    panel,
    source_variable,
    target,
    thresholds,
)

if TYPE_CHECKING:
    from panels import Json

FOLDER: Final = Path(__file__).parent / "dashboards"
WHICH: Final = 'policy=~"$policy"'
PER: Final = "policy, commitment"
COMPLIANCE: Final = "policy_commitment:sla_compliance:ratio30d"
LEFT: Final = "policy_commitment:sla_error_budget_left:ratio30d"


def overview() -> Json:
    """Are the promises kept, where are they being broken, and is the detector well?"""
    return dashboard(
        "sla-overview",
        "SLA overview",
        "Whether promises are kept, where they are being broken, and whether the detector can be trusted.",
        [*_promises(), *_work(), *_detector()],
        [source_variable(), label_variable("policy", "Policy", "sla_commitments_total")],
    )


def _promises() -> list[Json]:
    return [
        panel(
            "table",
            "Compliance against objective, 30 days",
            "The share of decided commitments that were met, late breaches counted and retracted ones not; the "
            "objective of the policy; and how much of the breaches that the objective allows is left.",
            "percentunit",
            (0, 0, 14, 8),
            targets=[
                column(f"{COMPLIANCE}{{{WHICH}}}"),
                column(f"max by ({PER}) (sla_objective_ratio{{{WHICH}}})"),
                column(f"{LEFT}{{{WHICH}}}"),
            ],
            defaults={"decimals": 1, "custom": {"align": "auto"}},
            overrides=[
                {
                    "matcher": {"id": "byName", "options": "budget left"},
                    "properties": [
                        {"id": "custom.cellOptions", "value": {"type": "color-background", "mode": "basic"}},
                        {"id": "thresholds", "value": thresholds([(RED, None), (ORANGE, 0), (GREEN, 0.25)])},
                    ],
                }
            ],
            transformations=[
                {"id": "merge", "options": {}},
                {
                    "id": "organize",
                    "options": {
                        "excludeByName": {"Time": True, "__name__": True},
                        "indexByName": {"policy": 0, "commitment": 1, "Value #A": 2, "Value #B": 3, "Value #C": 4},
                        "renameByName": {"Value #A": "compliance", "Value #B": "objective", "Value #C": "budget left"},
                    },
                },
                {"id": "sortBy", "options": {"sort": [{"field": "budget left", "desc": False}]}},
            ],
            options={"cellHeight": "sm", "showHeader": True},
        ),
        number(
            "Open commitments now",
            "Not fulfilled yet: running, paused, or breached and still owed.",
            "short",
            (14, 0, 10, 4),
            [target(f"sum by (state) (sla_open_commitments{{{WHICH}}})", "{{state}}")],
            [(GREY, None)],
            overrides=[colour("breached", RED), colour("running", GREEN), colour("paused", GREY)],
        ),
        number(
            "Breaches and retractions in the selected time",
            "Breaches as they were reported, and those taken back since because a late event changed the record.",
            "short",
            (14, 4, 10, 4),
            [
                target(
                    f'sum(increase(sla_commitments_total{{outcome="breached", {WHICH}}}[$__range]))',
                    "breached",
                ),
                target(f'sum(increase(sla_retractions_total{{kind="breach", {WHICH}}}[$__range]))', "retracted"),
            ],
            [(GREY, None)],
        ),
        lines(
            "Breaches",
            "Commitments whose target passed, per interval, when they were detected.",
            "short",
            (0, 8, 12, 8),
            [
                target(
                    f'sum by ({PER}) (increase(sla_commitments_total{{outcome="breached", {WHICH}}}[$__rate_interval]))',
                    "{{policy}} {{commitment}}",
                )
            ],
            bars=True,
            stacked=True,
        ),
        lines(
            "Warnings",
            "Commitments that came near their target, per interval, by the mark of the policy that was passed.",
            "short",
            (12, 8, 12, 8),
            [
                target(
                    f"sum by (commitment, stage) (increase(sla_warnings_total{{{WHICH}}}[$__rate_interval]))",
                    "{{commitment}} {{stage}}",
                )
            ],
            bars=True,
            stacked=True,
        ),
    ]


def _work() -> list[Json]:
    used = f"sum by ({PER}, le) (rate(sla_commitment_used_ratio_bucket{{{WHICH}}}[$__rate_interval]))"
    return [
        lines(
            "Escalations by level",
            "Levels raised per interval; the legend says of which ladder, and why.",
            "short",
            (0, 16, 12, 8),
            [
                target(
                    f"sum by (ladder, level, reason) (increase(sla_escalations_total{{{WHICH}}}[$__rate_interval])) > 0",
                    "{{ladder}} {{level}}: {{reason}}",
                )
            ],
            bars=True,
            stacked=True,
        ),
        lines(
            "Open commitments by state",
            "Running, paused, or breached and still owed.",
            "short",
            (12, 16, 12, 8),
            [target(f"sum by (state) (sla_open_commitments{{{WHICH}}})", "{{state}}")],
            stacked=True,
        ),
        lines(
            "Breached and still owed, by team",
            "What a team lead looks at first. An empty name: tickets without a team.",
            "short",
            (0, 24, 12, 8),
            [target(f'sum by (team) (sla_open_commitments{{state="breached", {WHICH}}}) > 0', "{{team}}")],
        ),
        lines(
            "Share of the target used, 90th percentile",
            "Of commitments fulfilled in the interval: nine in ten used less than this share. The line is the target.",
            "percentunit",
            (12, 24, 12, 8),
            [target(f"histogram_quantile(0.9, {used})", "{{policy}} {{commitment}}")],
            steps=[(GREEN, None), (RED, 1)],
        ),
    ]


def _detector() -> list[Json]:
    delay = "sum by (le) (rate(sla_breach_detection_delay_seconds_bucket[$__rate_interval]))"
    return [
        lines(
            "Detection delay",
            "From a breach to its detection. The line is the second that is promised; the dots name tickets.",
            "s",
            (0, 32, 12, 8),
            [
                target(f"histogram_quantile(0.5, {delay})", "median"),
                target(f"histogram_quantile(0.99, {delay})", "99th percentile", exemplars=True),
            ],
            steps=[(GREEN, None), (RED, 1)],
        ),
        lines(
            "Events in",
            "Records handled a second, by what became of them.",
            "short",
            (12, 32, 12, 8),
            [target("sum by (result) (rate(sla_events_total[$__rate_interval]))", "{{result}}")],
            stacked=True,
        ),
        lines(
            "Rejected and unmatched",
            "Records refused per interval, by reason, and tickets to which no policy promises anything.",
            "short",
            (0, 40, 12, 8),
            [
                target("sum by (reason) (increase(sla_events_rejected_total[$__rate_interval])) > 0", "{{reason}}"),
                target("sum(increase(sla_tickets_unmatched_total[$__rate_interval]))", "unmatched"),
            ],
            bars=True,
            stacked=True,
        ),
        lines(
            "Time since the last event",
            "By partition, counted from the youngest event time it brought. All of them rising: the feed is silent.",
            "s",
            (12, 40, 12, 4),
            [target("time() - max by (partition) (sla_last_event_timestamp_seconds)", "{{partition}}")],
        ),
        lines(
            "Partitions",
            "Owned by some worker, and live: caught up with their backlog, so that deadlines fire by the clock.",
            "short",
            (12, 44, 12, 4),
            [target("sum(sla_partitions_owned)", "owned"), target("sum(sla_partitions_live)", "live")],
        ),
    ]


def texts() -> dict[Path, str]:
    """Each dashboard file and what should be in it."""
    return {FOLDER / f"{one['uid']}.json": json.dumps(one, indent=2) + "\n" for one in (overview(),)}


if __name__ == "__main__":
    for path, text in texts().items():
        path.write_text(text, "utf-8")
