"""*Right now*, for a team lead: what is overdue, what is about to be, who has to do something?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from boards import INSTALLATION, Row, dashboard, installation_variables, label_variable, text_variable
from panels import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PLAIN,
    RED,
    YELLOW,
    Column,
    Query,
    gauges,
    graph,
    stat,
    table,
    timeline,
)

if TYPE_CHECKING:
    from panels import Json

SELECTED: Final = f'team=~"$team", customer=~"$customer", policy=~"$policy", {INSTALLATION}'
POLICY: Final = f'policy=~"$policy", {INSTALLATION}'
STEP: Final = "$__interval"
BANDS: Final = (
    ("overdue", "", "0.0"),
    ("0 to 15 min", "0.0", "900.0"),
    ("15 to 30 min", "900.0", "1800.0"),
    ("30 to 60 min", "1800.0", "3600.0"),
    ("1 to 2 h", "3600.0", "7200.0"),
    ("2 to 4 h", "7200.0", "14400.0"),
    ("4 to 8 h", "14400.0", "28800.0"),
    ("8 to 24 h", "28800.0", "86400.0"),
    ("later", "86400.0", "+Inf"),
)


def board() -> Json:
    return dashboard(
        "sla-right-now",
        "Right now",
        "Overdue commitments, commitments at risk, and the teams that must act.",
        "4h",
        [
            *installation_variables(),
            label_variable("policy", "Policy", "sla_open_commitments"),
            label_variable("team", "Team", "sla_open_commitments"),
            label_variable("customer", "Customer", "sla_open_commitments"),
            text_variable("docs", "Documentation at", "/public/docs"),
        ],
        [
            Row("", 4, _figures()),
            Row("", 9, _at_risk()),
            Row("", 8, _work()),
            Row("", 8, _alerts()),
            Row("Of all teams and customers", 8, _escalations()),
        ],
    )


def _within(le: str, by: str = "") -> str:
    grouped = f" by ({by}) " if by else ""
    return f'sum{grouped}(sla_open_commitment_remaining_seconds_bucket{{le="{le}", {SELECTED}}})'


def _band(low: str, high: str, by: str = "") -> str:
    return f"{_within(high, by)} - {_within(low, by)}" if low else _within(high, by)


def _figures() -> list[Json]:
    running = f"sla_next_deadline_timestamp_seconds{{{POLICY}}}"
    return [
        stat(
            5,
            "Overdue",
            "Breached and not fulfilled yet.",
            "none",
            Query(_within("0.0"), "now"),
            steps=[(GREEN, None), (RED, 0.5)],
        ),
        stat(
            5,
            "Under 15 minutes",
            "Running, and due within 15 minutes.",
            "none",
            Query(_band("0.0", "900.0"), "now"),
            steps=[(GREEN, None), (ORANGE, 0.5)],
        ),
        stat(
            5,
            "15 minutes to an hour",
            "Running, and due within the hour.",
            "none",
            Query(_band("900.0", "3600.0"), "now"),
            steps=[(GREEN, None), (YELLOW, 0.5)],
        ),
        stat(
            5,
            "Paused",
            "The clock is paused, for example while the ticket waits for its customer.",
            "none",
            Query(f'sum(sla_open_commitments{{state="paused", {SELECTED}}})', "now"),
            steps=PLAIN,
        ),
        stat(
            4,
            "Next deadline in",
            "Time until the next deadline of a running commitment, of all teams.",
            "s",
            Query(f"min(({running} > 0) - on (job, instance) group_left () sla_clock_timestamp_seconds) or vector(-1)", "now"),
            steps=PLAIN,
            words={"-1": "none today"},
        ),
    ]


def _at_risk() -> list[Json]:
    by = "policy, commitment, team"
    names = {"overdue": RED, "0 to 15 min": ORANGE, "15 to 30 min": YELLOW, "30 to 60 min": YELLOW}
    return [
        table(
            14,
            "At risk",
            "Open commitments by the time until their deadline, as of now; an empty team: tickets without one. The "
            "page of each worker (*Workers*, below) lists these tickets.",
            Column("overdue", _within("0.0", by), "none", [("transparent", None), (RED, 0.5)]),
            Column("< 15 min", _band("0.0", "900.0", by), "none", [("transparent", None), (ORANGE, 0.5)]),
            Column("< 1 h", _band("900.0", "3600.0", by), "none", [("transparent", None), (YELLOW, 0.5)]),
            Column("< 4 h", _band("3600.0", "14400.0", by), "none"),
            Column("later", _band("14400.0", "+Inf", by), "none"),
            keys={"policy": 215, "commitment": 130, "team": 100},
            sort=("overdue", True),
            leads=("policy", "team"),
        ),
        gauges(
            10,
            "Time until the deadline",
            "Open commitments by the wall time left. Paused commitments have no deadline and are not included.",
            "short",
            *(Query(_band(low, high), name) for name, low, high in BANDS),
            steps=[(BLUE, None)],
            colours=names,
        ),
    ]


def _escalations() -> list[Json]:
    burning = (
        f"(policy_commitment:sla_breaches_on_time:increase6h{{{POLICY}}} > bool "
        f"0.05 * policy_commitment:sla_error_budget:commitments30d{{{POLICY}}})"
    )
    used_up = f"(policy_commitment:sla_error_budget_left:ratio30d{{{POLICY}}} <= bool 0)"
    return [
        graph(
            12,
            "Escalations by level",
            "Levels raised per interval. The legend names the ladder.",
            "short",
            Query(
                f"sum by (ladder, level) (sum_over_time(policy_ladder_level:sla_escalations:delta1m{{{POLICY}}}[{STEP}]))",
                "{{ladder}}: {{level}}",
            ),
            bars=True,
            stacked=True,
        ),
        timeline(
            12,
            "State of each commitment",
            "Burning: within six hours more breaches than a twentieth of what a month allows. Used "
            "up: nothing is left of what the month allows.",
            Query(f"clamp_max({burning} + 2 * {used_up}, 2)", "{{policy}} {{commitment}}"),
            {"0": ("well", GREEN), "1": ("burning", ORANGE), "2": ("used up", RED)},
        ),
    ]


def _alerts() -> list[Json]:
    which = 'alertname=~"SLA.*", policy=~"$policy|", team=~"$team|", installation=~"$installation|"'
    firing = f'ALERTS{{alertstate="firing", {which}}}'
    since = f"ALERTS_FOR_STATE{{{which}}} * 1000 and ignoring (alertstate) {firing}"
    return [
        table(
            14,
            "Alerts that fire",
            "Alerts of the selected policies and teams, and those that have none. Click a name to open its runbook. The "
            "watchdog always fires, to show that alerting works.",
            Column("since", f"max by (severity, alertname, policy, commitment, team, instance) ({since})", "dateTimeFromNow"),
            keys={"severity": 75, "alertname": 190, "policy": 215, "commitment": 120, "team": 70, "instance": 100},
            sort=("severity", False),
            links={"alertname": ("Runbook", "${docs}/runbooks/${__value.raw}.md")},
        ),
        table(
            10,
            "Workers",
            "Click to open a worker's page: its next deadlines with their tickets and explanations.",
            Column("partitions", f"max by (instance) (sla_partitions_owned{{{INSTALLATION}}})", "none"),
            Column("live", f"max by (instance) (sla_partitions_live{{{INSTALLATION}}})", "none"),
            Column("open", f"sum by (instance) (sla_open_commitments{{{SELECTED}}})", "none"),
            keys={"instance": 180},
            sort=("instance", False),
            links={"instance": ("Page of the worker", "http://${__value.raw}/")},
        ),
    ]


def _work() -> list[Json]:
    owed = f'sla_open_commitments{{state="breached", {SELECTED}}}'
    return [
        graph(
            12,
            "Open commitments by state",
            "Running, paused, or breached (overdue).",
            "short",
            Query(f"sum by (state) (sla_open_commitments{{{SELECTED}}})", "{{state}}"),
            stacked=True,
            colours={"breached": RED, "running": GREEN, "paused": GREY},
        ),
        graph(
            12,
            "Breached and still owed, by team",
            "Shows which team must catch up, and the trend.",
            "short",
            Query(f'label_replace(sum by (team) ({owed}), "team", "no team", "team", "")', "{{team}}"),
            stacked=True,
            leads=("team",),
        ),
    ]
