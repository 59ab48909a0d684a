"""*SLA overview*, for whoever answers for the desk: are commitments met, where are they breached, is it getting better?

The recording rules of `sla-counts` count in whole numbers, so that a number, the bars beside it and the rows of a table add up.
Longer than 250 lines because it is one dashboard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from boards import INSTALLATION, Row, dashboard, installation_variables, label_variable
from panels import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    Column,
    Query,
    gauges,
    graph,
    stat,
    table,
)

if TYPE_CHECKING:
    from panels import Json

POLICY: Final = f'policy=~"$policy", commitment=~"$commitment", {INSTALLATION}'
SELECTED: Final = f'priority=~"$priority", team=~"$team", customer=~"$customer", {POLICY}'
LADDERS: Final = f'policy=~"$policy", {INSTALLATION}'
RANGE: Final = "$__range"
STEP: Final = "$__interval"
RATE: Final = "$__rate_interval"
COUNT: Final = "policy_commitment_priority_team_customer:sla_commitments_"
BANDS: Final = (
    ("0 to 4 h", "0", "14400.0"),
    ("4 h to 1 d", "14400.0", "86400.0"),
    ("1 to 3 d", "86400.0", "259200.0"),
    ("3 to 7 d", "259200.0", "604800.0"),
    ("7 to 30 d", "604800.0", "2592000.0"),
    ("over 30 d", "2592000.0", "+Inf"),
)


def board() -> Json:
    return dashboard(
        "sla-overview",
        "SLA overview",
        "Compliance: whether commitments are met, where they are breached, and the trend.",
        "7d",
        [
            *installation_variables(),
            label_variable("policy", "Policy", "sla_commitments_total"),
            label_variable("commitment", "Commitment", "sla_commitments_total"),
            label_variable("priority", "Priority", "sla_commitments_total"),
            label_variable("team", "Team", "sla_commitments_total"),
            label_variable("customer", "Customer", "sla_commitments_total"),
        ],
        [
            Row("Are commitments met?", 4, _figures()),
            Row("", 9, _where()),
            Row("", 8, _flow()),
            Row("Which customers?", 8, _customers()),
            Row(
                "Of all teams, and but for the first panel of all priorities and customers: how long?",
                9,
                _lengths(),
            ),
            Row("Of all priorities, teams and customers: what is left of the objectives?", 8, _objectives()),
            Row("", 8, _trend()),
            Row("", 8, _rest()),
        ],
    )


def _figures() -> list[Json]:
    met, breached = _net("met", RANGE), _net("breached", RANGE)
    by = "cluster, job, installation, policy, commitment"
    decided = f"({_net('met', RANGE, by)} + {_net('breached', RANGE, by)})"
    objective = f"max by ({by}) (sla_objective_ratio{{{POLICY}}})"
    share = f"1 - {breached} / ({met} + {breached} > 0)"
    target_share = f"sum({objective} * {decided}) / (sum({decided} and {objective}) > 0)"
    return [
        stat(
            8,
            "Compliance",
            "Share of the commitments decided in the selected time that were met, each counted once; the "
            "objective of the same commitments; and the margin between the two.",
            "percentunit",
            Query(share, "met"),
            Query(target_share, "objective"),
            Query(f"{share} - {target_share}", "margin"),
            decimals=1,
            steps_of={"margin": [(RED, None), (GREEN, 0)]},
        ),
        stat(
            7,
            "Met and breached",
            "Commitments decided in the selected time. Met: each once, however often its ticket was reopened. Breached: "
            "without those that a late event took back.",
            "none",
            Query(met, "met"),
            Query(breached, "breached"),
            colours={"breached": RED, "met": GREEN},
        ),
        stat(
            4,
            "Reopenings",
            "Met commitments that are open again because the ticket was reopened. Each receives another verdict.",
            "none",
            Query(_net("reopened", RANGE), "reopened"),
        ),
        stat(
            5,
            "Breached and still owed",
            "Open commitments whose target has passed, now, and how many they were.",
            "none",
            Query(f'sum(sla_open_commitments{{state="breached", {SELECTED}}})', "now"),
            steps=[(GREEN, None), (RED, 0.5)],
        ),
    ]


def _where() -> list[Json]:
    by = "policy, priority, team"
    breached, met = _net("breached", RANGE, by), _net("met", RANGE, by)
    decided = f"({met} + {breached} != 0)"
    target_share = f"avg by (policy) (sla_objective_ratio{{{POLICY}}})"
    return [
        table(
            12,
            "Compliance by policy, priority and team",
            "Worst first: the margin is to the mean objective of the policy. A ticket that changed its priority or team before "
            "its reopening is taken back from those that it has then.",
            Column("compliance", f"1 - {breached} / {decided}", "percentunit", decimals=1),
            Column(
                "margin",
                f"1 - {breached} / {decided} - on (policy) group_left () {target_share}",
                "percentunit",
                [(RED, None), (GREEN, 0)],
                decimals=1,
            ),
            Column("breached", f"{breached} and {decided}", "none"),
            Column("met", f"{met} and {decided}", "none"),
            keys={"policy": 215, "priority": 75, "team": 100},
            sort=("margin", False),
            leads=("policy", "team"),
        ),
        graph(
            12,
            "Breaches",
            "Commitments whose target passed, per interval, when they were detected. Below zero: more were taken back, because "
            "a late event showed that there was none. The dots name tickets.",
            "short",
            Query(_net("breached", STEP, "commitment"), "{{commitment}}"),
            # Recorded series have no exemplars.
            Query(
                f'0 * sum(increase(sla_commitments_total{{outcome="breached", {SELECTED}}}[{RATE}]))',
                "tickets (dots)",
                exemplars=True,
            ),
            bars=True,
            stacked=True,
            floor=None,
        ),
    ]


def _flow() -> list[Json]:
    taken_back = f"policy_commitment_priority_team_customer_kind:sla_retractions:delta1m{{{SELECTED}}}"
    return [
        graph(
            8,
            "Demand",
            "Commitments started per interval, including those without a target, and verdicts.",
            "short",
            Query(_net("started", STEP), "started"),
            Query(_net("met", STEP), "met"),
            Query(_net("breached", STEP), "breached"),
            colours={"breached": RED, "met": GREEN, "started": BLUE},
            floor=None,
        ),
        graph(
            8,
            "Reopened and taken back",
            "Met commitments that are open again because the ticket was reopened, and verdicts taken "
            "back because a late event changed the record, per interval.",
            "short",
            Query(_net("reopened", STEP), "reopened"),
            Query(f"sum by (kind) (sum_over_time({taken_back}[{STEP}]))", "taken back: {{kind}}"),
            bars=True,
            stacked=True,
            roof=5,
            colours={"reopened": BLUE, "taken back: breach": ORANGE},
        ),
        graph(
            8,
            "Open commitments by state",
            "Not fulfilled yet: running, paused, or breached (overdue).",
            "short",
            Query(f"sum by (state) (sla_open_commitments{{{SELECTED}}})", "{{state}}"),
            stacked=True,
            colours={"breached": RED, "running": GREEN, "paused": GREY},
        ),
    ]


def _customers() -> list[Json]:
    breached, met = _net("breached", RANGE, "customer"), _net("met", RANGE, "customer")
    owed = f'sum by (customer) (sla_open_commitments{{state="breached", {SELECTED}}})'
    return [
        table(
            12,
            "Compliance by customer",
            "Customers that the setting metric_customers names; other: all others; empty: tickets without a customer, or all "
            "tickets where the setting names none. Worst first.",
            Column("compliance", f"1 - {breached} / ({met} + {breached} != 0)", "percentunit", decimals=1),
            Column("breached", breached, "none"),
            Column("met", met, "none"),
            Column("owed now", owed, "none", [("transparent", None), (RED, 0.5)]),
            keys={"customer": 250},
            sort=("compliance", False),
            leads=("customer",),
        ),
        graph(
            12,
            "Breaches by customer",
            "As above, per interval and customer.",
            "short",
            Query(
                f'label_replace({_net("breached", STEP, "customer")}, "customer", "no customer", "customer", "")',
                "{{customer}}",
            ),
            bars=True,
            stacked=True,
            floor=None,
        ),
    ]


def _lengths() -> list[Json]:
    which = f'priority=~"$priority", customer=~"$customer", {POLICY}'
    used = f"sla_commitment_used_ratio_bucket{{{POLICY}}}"
    paused, running = (
        f"sum by (policy) (rate(sla_commitment_{what}_seconds_sum{{{POLICY}}}[{RATE}]))" for what in ("paused", "time")
    )
    by = "policy, commitment, priority"
    spent, fulfilled = (
        f"sum by ({by}) (increase(sla_commitment_time_seconds_{what}{{{which}}}[{RANGE}]))" for what in ("sum", "count")
    )
    mean = f"{spent} / ({fulfilled} > 0)"
    target = f"(max by ({by}) (sla_target_seconds{{{POLICY}}}) and {mean})"
    return [
        table(
            12,
            "Time used, by priority",
            "Of the commitments fulfilled in the selected time: the mean in hours, on the clock of their target (business "
            "hours where the target is business time), the target of the policy, and the mean as a share of it.",
            Column("mean", f"{mean} / 3600", "suffix: h", decimals=1),
            Column("target", f"{target} / 3600", "suffix: h", decimals=1),
            Column("share", f"({mean}) / {target}", "percentunit", [("transparent", None), (ORANGE, 0.75), (RED, 1)]),
            keys={"policy": 215, "commitment": 130, "priority": 75},
            sort=("share", True),
            leads=("policy",),
        ),
        graph(
            6,
            "Share of the target used, 90th percentile",
            "Nine in ten commitments fulfilled in the interval used less than this share. The line is the target.",
            "percentunit",
            Query(f"histogram_quantile(0.9, sum by (commitment, le) (rate({used}[{RATE}])))", "{{commitment}}"),
            steps=[(GREEN, None), (RED, 1)],
        ),
        graph(
            6,
            "Paused share of time",
            "The paused share of the time until commitments were fulfilled.",
            "percentunit",
            Query(f"{paused} / ({paused} + {running} > 0)", "{{policy}}"),
            leads=("policy",),
        ),
    ]


def _objectives() -> list[Json]:
    compliance, left = (
        f"policy_commitment:{name}:ratio30d{{{POLICY}}}" for name in ("sla_compliance", "sla_error_budget_left")
    )
    # Of commitments that were decided: the others have an objective, and nothing to compare with it.
    objective = f"max by (policy, commitment) (sla_objective_ratio{{{POLICY}}}) and on (policy, commitment) {compliance}"
    return [
        table(
            14,
            "Compliance against objective, 30 days",
            "The share of decided commitments that were met, late breaches counted "
            "and retracted ones not; the objective of the policy; the margin between the two; and "
            "how much of the breaches that it allows have happened.",
            Column("compliance", compliance, "percentunit", decimals=1),
            Column("objective", objective, "percentunit", decimals=1),
            Column(
                "margin",
                f"{compliance} - on (policy, commitment) ({objective})",
                "percentunit",
                [(RED, None), (GREEN, 0)],
                decimals=1,
            ),
            Column("budget used", f"1 - {left}", "percentunit", [(GREEN, None), (ORANGE, 0.75), (RED, 1)]),
            keys={"policy": 215, "commitment": 130},
            sort=("margin", False),
            leads=("policy",),
        ),
        gauges(
            10,
            "Error budget left, 30 days",
            "The share that is left of the breaches that the objective allows in 30 days. "
            "Nothing is left when the objective is missed.",
            "percentunit",
            Query(f"clamp_min({left}, 0)", "{{commitment}}, {{policy}}"),
            steps=[(RED, None), (ORANGE, 0.000001), (GREEN, 0.25)],
            high=1,
            name_placement="top",
        ),
    ]


def _trend() -> list[Json]:
    return [
        graph(
            12,
            "Error budget over time",
            "The share left of the allowed breaches of 30 days. Below zero: the objective is missed; drawn down to -100 %, "
            "where twice as many have happened as are allowed.",
            "percentunit",
            Query(f"clamp_min(policy_commitment:sla_error_budget_left:ratio30d{{{POLICY}}}, -1)", "{{policy}} {{commitment}}"),
            steps=[(RED, None), (GREY, 0)],
            leads=("policy",),
            floor=-1,
        ),
        graph(
            12,
            "Warnings",
            "Commitments that came near their target, per interval, by the threshold of the policy that was passed.",
            "short",
            Query(
                f"sum by (stage) (sum_over_time(policy_commitment_stage:sla_warnings:delta1m{{{POLICY}}}[{STEP}]))",
                "warned at {{stage}}",
            ),
            bars=True,
            stacked=True,
        ),
    ]


def _rest() -> list[Json]:
    def older(le: str) -> str:
        return f'sum(sla_open_commitment_age_seconds_bucket{{le="{le}", {POLICY}}})'

    ages = [Query(older(high) if low == "0" else f"{older(high)} - {older(low)}", name) for name, low, high in BANDS]
    raised = f"policy_ladder_level:sla_escalations:delta1m{{{LADDERS}}}"
    return [
        gauges(
            12,
            "Age of open commitments",
            "Wall time since the open commitments started.",
            "short",
            *ages,
            steps=[(BLUE, None)],
        ),
        graph(
            12,
            "Escalations by level, of all commitments",
            "Levels raised per interval. The legend names the ladder.",
            "short",
            Query(f"sum by (ladder, level) (sum_over_time({raised}[{STEP}]))", "{{ladder}}: {{level}}"),
            bars=True,
            stacked=True,
        ),
    ]


def _net(what: str, window: str, by: str = "") -> str:
    """Commitments ``met``, ``breached``, ``started`` or ``reopened`` within a window, in whole numbers."""
    grouped = f" by ({by}) " if by else ""
    return f"sum{grouped}(sum_over_time({COUNT}{what}:delta1m{{{SELECTED}}}[{window}]))"
