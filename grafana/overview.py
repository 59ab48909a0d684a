"""*SLA overview*, for whoever answers for the desk: are promises kept, where are they broken, is it getting better?

One dashboard and nothing else: its panels, most of them text, make the file long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from boards import Row, dashboard, label_variable
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

POLICY: Final = 'policy=~"$policy"'
WHOM: Final = 'policy=~"$policy", priority=~"$priority", team=~"$team"'
RANGE: Final = "$__range"
RATE: Final = "$__rate_interval"
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
            label_variable("policy", "Policy", "sla_commitments_total"),
            label_variable("priority", "Priority", "sla_commitments_total"),
            label_variable("team", "Team", "sla_commitments_total"),
            label_variable("commitment", "Commitment", "sla_commitments_total", one=True),
        ],
        [
            Row("Are promises kept?", 4, _figures()),
            Row("", 8, _objectives()),
            Row("", 8, _trend()),
            Row("Where are they broken?", 9, _where()),
            Row("How long does it take?", 8, _lengths()),
            Row("What comes back, and what waits?", 8, _rest()),
        ],
    )


def _figures() -> list[Json]:
    by = "policy, commitment"
    decided = f"({_net_met(RANGE, by)} + {_net_breached(RANGE, by)})"
    objective = f"max by ({by}) (sla_objective_ratio{{{POLICY}}})"
    return [
        stat(
            6,
            "Compliance",
            "Share of the commitments decided in the selected time that were met, each counted once; and what the policies "
            "promise, by the same commitments.",
            "percentunit",
            Query(f"1 - {_net_breached(RANGE)} / ({_net_met(RANGE)} + {_net_breached(RANGE)} > 0)", "met"),
            Query(f"sum({objective} * {decided}) / sum({decided} and {objective})", "promised"),
            decimals=1,
        ),
        stat(
            6,
            "Breaches",
            "Breaches in the selected time, less those retracted because a late event showed that there was none.",
            "short",
            Query(_net_breached(RANGE), "breaches"),
            steps=[(GREEN, None), (RED, 0.5)],
        ),
        stat(
            6,
            "Reopenings",
            "Met commitments that are open again because the ticket was reopened. Each receives another verdict.",
            "short",
            Query(f"sum(increase(sla_commitments_reopened_total{{{POLICY}}}[{RANGE}]))", "reopened"),
        ),
        stat(
            6,
            "Escalations",
            "Escalation levels raised in the selected time.",
            "short",
            Query(f"sum(increase(sla_escalations_total{{{POLICY}}}[{RANGE}]))", "raised"),
        ),
    ]


def _objectives() -> list[Json]:
    compliance, left = "policy_commitment:sla_compliance:ratio30d", "policy_commitment:sla_error_budget_left:ratio30d"
    objective = f"max by (policy, commitment) (sla_objective_ratio{{{POLICY}}})"
    budget = [(RED, None), (ORANGE, 0), (GREEN, 0.25)]
    return [
        table(
            14,
            "Compliance against objective, 30 days",
            "The share of decided commitments that were met, late breaches counted "
            "and retracted ones not; the objective of the policy; the margin between the two; and "
            "how much of the breaches that it allows is left.",
            Column("compliance", f"{compliance}{{{POLICY}}}", "percentunit", decimals=1),
            Column("objective", objective, "percentunit", decimals=1),
            Column(
                "margin",
                f"{compliance}{{{POLICY}}} - on (policy, commitment) {objective}",
                "percentunit",
                [(RED, None), (GREEN, 0)],
                decimals=1,
            ),
            Column("budget left", f"{left}{{{POLICY}}}", "percentunit", budget),
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
            Query(f"clamp_min({left}{{{POLICY}}}, 0)", "{{commitment}}, {{policy}}"),
            steps=budget,
            high=1,
            name_placement="top",
        ),
    ]


def _trend() -> list[Json]:
    return [
        graph(
            12,
            "Error budget over time",
            "The share left of the allowed breaches of 30 days. Below zero: the objective is missed.",
            "percentunit",
            Query(f"policy_commitment:sla_error_budget_left:ratio30d{{{POLICY}}}", "{{policy}} {{commitment}}"),
            steps=[(RED, None), (GREY, 0)],
            leads=("policy",),
            floor=None,
        ),
        graph(
            12,
            "Breaches",
            "Commitments whose target passed, per interval, when they were detected. The dots name tickets.",
            "short",
            Query(
                f'sum by (commitment) (increase(sla_commitments_total{{outcome="breached", {WHOM}}}[{RATE}]))',
                "{{commitment}}",
                exemplars=True,
            ),
            bars=True,
            stacked=True,
        ),
    ]


def _where() -> list[Json]:
    by = "policy, priority, team"
    breached, met = _net_breached(RANGE, by, WHOM), _net_met(RANGE, by, WHOM, reopened=False)
    decided = f"({met} + {breached} > 0)"
    promised = f"avg by (policy) (sla_objective_ratio{{{POLICY}}})"
    return [
        table(
            12,
            "Compliance by policy, priority and team",
            "Worst first: the margin is to the mean objective of the policy. A commitment that was reopened counts with each "
            "of its verdicts here: its priority and team may have changed in between.",
            Column("compliance", f"1 - {breached} / {decided}", "percentunit", decimals=1),
            Column(
                "margin",
                f"1 - {breached} / {decided} - on (policy) group_left () {promised}",
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
            "Warnings and breaches",
            "Commitments that came near their target, per interval, by the mark of the policy that was "
            "passed; and those that passed it.",
            "short",
            Query(f"sum by (stage) (increase(sla_warnings_total{{{POLICY}}}[{RATE}]))", "warned at {{stage}}"),
            Query(f'sum(increase(sla_commitments_total{{outcome="breached", {WHOM}}}[{RATE}]))', "breached"),
            bars=True,
            stacked=True,
            colours={"breached": RED},
        ),
    ]


def _lengths() -> list[Json]:
    which = f'commitment=~"$commitment", {POLICY}'
    time = f"sla_commitment_time_seconds_bucket{{{which}}}"
    used = f"sla_commitment_used_ratio_bucket{{{POLICY}}}"
    paused, running = (
        f"sum by (policy) (rate(sla_commitment_{what}_seconds_sum{{{POLICY}}}[{RATE}]))" for what in ("paused", "time")
    )
    return [
        graph(
            10,
            "Time used: $commitment",
            "Of the commitments fulfilled in the interval, on the clock of their target (business "
            "time where the target is): the mean, what nine in ten did not exceed, and the targets of the policy.",
            "s",
            Query(
                f"sum(rate(sla_commitment_time_seconds_sum{{{which}}}[{RATE}])) / "
                f"sum(rate(sla_commitment_time_seconds_count{{{which}}}[{RATE}]))",
                "mean",
            ),
            Query(f"histogram_quantile(0.9, sum by (le) (rate({time}[{RATE}])))", "90th percentile"),
            Query(f"max by (priority) (sla_target_seconds{{{which}}})", "target {{priority}}"),
            dashed="^target",
            logarithmic=True,
        ),
        graph(
            7,
            "Share of the target used, 90th percentile",
            "Nine in ten commitments fulfilled in the interval used less than this share. The line is the target.",
            "percentunit",
            Query(f"histogram_quantile(0.9, sum by (commitment, le) (rate({used}[{RATE}])))", "{{commitment}}"),
            steps=[(GREEN, None), (RED, 1)],
        ),
        graph(
            7,
            "Paused share of time",
            "The paused share of the time until commitments were fulfilled.",
            "percentunit",
            Query(f"{paused} / ({paused} + {running} > 0)", "{{policy}}"),
            leads=("policy",),
        ),
    ]


def _rest() -> list[Json]:
    def older(le: str) -> str:
        return f'sum(sla_open_commitment_age_seconds_bucket{{le="{le}", {POLICY}}})'

    ages = [Query(older(high) if low == "0" else f"{older(high)} - {older(low)}", name) for name, low, high in BANDS]
    return [
        graph(
            6,
            "Demand",
            "Commitments started per interval, including those without a target, and verdicts.",
            "short",
            Query(f"sum(increase(sla_commitments_started_total{{{WHOM}}}[{RATE}]))", "started"),
            Query(f'sum(increase(sla_commitments_total{{outcome="met", {WHOM}}}[{RATE}]))', "met"),
            Query(f'sum(increase(sla_commitments_total{{outcome="breached", {WHOM}}}[{RATE}]))', "breached"),
            colours={"breached": RED, "met": GREEN, "started": BLUE},
        ),
        graph(
            6,
            "Reopened and taken back",
            "Met commitments that are open again because the ticket was reopened, and verdicts taken "
            "back because a late event changed the record, per interval.",
            "short",
            Query(f"sum(increase(sla_commitments_reopened_total{{{POLICY}}}[{RATE}]))", "reopened"),
            Query(f"sum by (kind) (increase(sla_retractions_total{{{POLICY}}}[{RATE}]))", "taken back: {{kind}}"),
            bars=True,
            stacked=True,
            roof=5,
            colours={"reopened": BLUE, "taken back: breach": ORANGE},
        ),
        graph(
            6,
            "Open commitments by state",
            "Not fulfilled yet: running, paused, or breached (overdue).",
            "short",
            Query(f"sum by (state) (sla_open_commitments{{{WHOM}}})", "{{state}}"),
            stacked=True,
            colours={"breached": RED, "running": GREEN, "paused": GREY},
        ),
        gauges(
            6,
            "Age of open commitments",
            "Wall time since the open commitments started.",
            "short",
            *ages,
            steps=[(BLUE, None)],
        ),
    ]


def _net_met(window: str, by: str = "", chosen: str = POLICY, *, reopened: bool = True) -> str:
    """Commitments met. A reopening takes the verdict before it back, so that each counts once."""
    reported = _sum("sla_commitments_total", window, by, chosen, 'outcome="met"')
    total = f"{reported} - {_taken_back('met', window, by, chosen)}"
    if reopened:
        again = _taken_back("reopening", window, by, chosen)
        total += f" - {_sum('sla_commitments_reopened_total', window, by, chosen)} + {again}"
    return f"({total})"


def _net_breached(window: str, by: str = "", chosen: str = POLICY) -> str:
    """Commitments breached, less those that never were, as a late event showed."""
    reported = _sum("sla_commitments_total", window, by, chosen, 'outcome="breached"')
    return f"({reported} - {_taken_back('breach', window, by, chosen)})"


def _taken_back(kind: str, window: str, by: str, chosen: str) -> str:
    return _sum("sla_retractions_total", window, by, chosen, f'kind="{kind}"')


def _sum(series: str, window: str, by: str, *chosen: str) -> str:
    grouped = f" by ({by}) " if by else ""
    return f"sum{grouped}(increase({series}{{{', '.join(chosen)}}}[{window}]))"
