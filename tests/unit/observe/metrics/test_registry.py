"""How effects, events and partitions change the metrics."""

from __future__ import annotations

import shutil
import subprocess
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from stream.observe.metrics.catalogue import AGE, LEFT
from stream.observe.metrics.labels import EXTRA_PRIORITIES, LabelBounds
from stream.observe.metrics.registry import REJECT_REASONS, Metrics
from stream.sla.calendar.duration import Duration
from stream.sla.effects import Kind, ProvisionalReason, Reason
from stream.sla.engine import Engine
from stream.sla.events import Event, EventType
from stream.sla.policy.metric import BUILT_IN
from stream.sla.policy.policy import Choice, Commitment, Policy
from stream.sla.ticket.state import OpenCommitment
from tests.unit.observe.observed import P1, by_priority, effect, gold, policy_set, silver

if TYPE_CHECKING:
    from collections.abc import Callable

    Value = Callable[..., float | None]


TEAMS, LABEL_SETS = LabelBounds().teams, LabelBounds().label_sets
KINDS = ("breach", "met", "reopening", "other")
RUNNING = OpenCommitment("first_response", "gold", "p1", "", "", "running", None, 0)


def test_every_series_that_the_policies_name_starts_at_zero(metrics: Metrics, value: Value) -> None:
    for priority in ("p1", "p2"):
        labels = P1 | {"priority": priority}
        assert value("sla_commitments_started_total", **labels) == 0
        assert {value("sla_commitments_total", **labels, outcome=o) for o in ("met", "breached", "cancelled")} == {0}
        assert {value("sla_open_commitments", **labels, state=s) for s in ("running", "paused", "breached")} == {0}
        assert {value("sla_retractions_total", **labels, kind=k) for k in KINDS} == {0}
        assert value("sla_commitments_reopened_total", **labels) == 0
    assert value("sla_warnings_total", policy="gold", commitment="first_response", stage="50%") == 0
    for through in ("event", "deployment"):
        assert value("sla_late_breaches_total", policy="gold", commitment="first_response", through=through) == 0
    level = {"policy": "gold", "ladder": "management", "level": "executive"}
    assert value("sla_escalations_total", **level, reason="after_deadline") == 0
    assert value("sla_events_total", type="feed.tick", result="applied") == 0
    assert [value("sla_events_rejected_total", reason=reason) for reason in REJECT_REASONS] == [0] * 7
    assert value("sla_commitment_time_seconds_count", policy="silver", commitment="resolution", priority="") == 0


def test_a_team_has_its_series_at_zero_from_the_start_of_its_first_stopwatch(metrics: Metrics, value: Value) -> None:
    billing = P1 | {"team": "billing"}
    assert value("sla_commitments_total", **billing, outcome="breached") is None

    metrics.effects([effect(Kind.STARTED, fields={"priority": "p1", "team": "billing"})], clock_is_wall=True)

    assert value("sla_commitments_started_total", **billing) == 1
    assert value("sla_commitments_total", **billing, outcome="breached") == 0


def test_a_team_has_its_series_at_zero_even_if_started_effects_are_switched_off(metrics: Metrics, value: Value) -> None:
    metrics.open_commitments.begin(0).add([RUNNING._replace(team="billing")])

    assert value("sla_commitments_total", **(P1 | {"team": "billing"}), outcome="breached") == 0


@pytest.mark.parametrize(("kind", "outcome"), [(Kind.MET, "met"), (Kind.BREACHED, "breached"), (Kind.CANCELLED, "cancelled")])
def test_a_verdict_is_counted_under_its_outcome(metrics: Metrics, value: Value, kind: Kind, outcome: str) -> None:
    metrics.effects([effect(kind)], clock_is_wall=True)

    for each in ("met", "breached", "cancelled"):
        assert value("sla_commitments_total", **P1, outcome=each) == (each == outcome)
    assert value("sla_effects_total", type=kind.value) == 1


COUNTED_BY_TYPE_ALONE = {
    Kind.PAUSED,
    Kind.RESUMED,  # unless it undoes a verdict
    Kind.RETARGETED,
    Kind.EXTENSION_REFUSED,
    Kind.ELAPSED,
    Kind.REPEATED,
    Kind.ACKNOWLEDGED,
    Kind.REFUSED,
    Kind.MONITORING,
    Kind.RELEASED,
    Kind.ESCALATION_RETRACTED,
}
"""Kinds of effect without metrics of their own. A new kind needs a decision."""


def counted(metrics: Metrics) -> set[str]:
    """Series of events and effects with their values: those of the process and of the scrape change by themselves."""
    series = generate_latest(metrics.registry).decode().splitlines()
    return {line for line in series if line.startswith("sla_") and not line.startswith("sla_collector_duration_seconds")}


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_counted_by_type_and_some_in_metrics_of_their_own(metrics: Metrics, kind: Kind) -> None:
    before = counted(metrics)

    metrics.effects([effect(kind)], clock_is_wall=False)

    changed = counted(metrics) - before
    own = {line for line in changed if not line.startswith("sla_effects_total")}
    assert len(changed) == len(own) + 1
    assert bool(own) == (kind not in COUNTED_BY_TYPE_ALONE)


@pytest.mark.parametrize("kind", [Kind.MET_LATE, Kind.MEASURED])
def test_fulfilment_after_the_breach_or_without_a_target_is_not_a_verdict(metrics: Metrics, value: Value, kind: Kind) -> None:
    metrics.effects([effect(kind, target=None)], clock_is_wall=True)

    assert {value("sla_commitments_total", **P1, outcome=o) for o in ("met", "breached", "cancelled")} == {0}
    assert value("sla_commitment_time_seconds_sum", policy="gold", commitment="first_response", priority="p1") == 3600
    assert value("sla_commitment_used_ratio_count", policy="gold", commitment="first_response") == 0


def test_a_fulfilled_commitment_adds_time_used_share_used_and_time_paused_in_seconds(metrics: Metrics, value: Value) -> None:
    metrics.effects([effect(Kind.MET, elapsed=1_800_000_000, paused=60_500_000, target=7_200_000_000)], clock_is_wall=True)

    what = {"policy": "gold", "commitment": "first_response"}
    assert value("sla_commitment_time_seconds_sum", **what, priority="p1") == 1800
    assert value("sla_commitment_used_ratio_sum", **what) == 0.25
    assert value("sla_commitment_paused_seconds_sum", **what) == 60.5


def test_a_retracted_breach_is_counted_beside_the_breach_and_not_subtracted(metrics: Metrics, value: Value) -> None:
    metrics.effects([effect(Kind.BREACHED), effect(Kind.BREACH_RETRACTED, late=True)], clock_is_wall=True)

    assert value("sla_commitments_total", **P1, outcome="breached") == 1
    assert value("sla_retractions_total", **P1, kind="breach") == 1
    assert value("sla_retractions_total", **P1, kind="other") == 0


def test_a_fact_that_is_stated_again_counts_once(metrics: Metrics, value: Value) -> None:
    kinds = (Kind.STARTED, Kind.MET_LATE, Kind.CANCELLED, Kind.WARNED, Kind.RAISED)
    for kind in kinds:
        taken_back = effect(Kind.RETRACTED, retracts_kind=kind, retracts_reason=Reason.FULFILLED, reason=Reason.RESTATED)
        metrics.effects([effect(kind, level="l"), taken_back, effect(kind, level="l", id="1.1")], clock_is_wall=True)

    what = {"policy": "gold", "commitment": "first_response"}
    assert value("sla_commitments_started_total", **P1) == 1
    assert value("sla_commitments_total", **P1, outcome="cancelled") == 1
    assert value("sla_commitment_time_seconds_count", **what, priority="p1") == 1
    assert value("sla_warnings_total", **what, stage="l") == 1
    assert value("sla_escalations_total", policy="gold", ladder="", level="l", reason="target_passed") == 1


@pytest.mark.parametrize(
    ("taken_back", "reason", "target", "kind"),
    [
        (Kind.MET, Reason.FULFILLED, 1, "met"),
        (Kind.RESUMED, Reason.REOPENED, 1, "reopening"),
        (Kind.RESUMED, Reason.REOPENED, None, "other"),
        (Kind.RESUMED, Reason.RESUME_CONDITION, 1, "other"),
        (Kind.WARNED, Reason.SHARE_USED, 1, "other"),
    ],
)
def test_a_retraction_is_counted_by_the_retracted_effect(
    metrics: Metrics, value: Value, taken_back: Kind, reason: Reason, target: int | None, kind: str
) -> None:
    retraction = effect(
        Kind.RETRACTED, retracts_kind=taken_back, retracts_reason=reason, reason=Reason.CORRECTED, target=target
    )
    metrics.effects([retraction], clock_is_wall=True)

    assert {each: value("sla_retractions_total", **P1, kind=each) for each in KINDS} == dict.fromkeys(KINDS, 0) | {kind: 1}


def test_a_reopening_is_counted_where_it_undoes_a_verdict_and_other_resumptions_are_not(metrics: Metrics, value: Value) -> None:
    metrics.effects(
        [
            effect(Kind.RESUMED, reason=Reason.REOPENED),
            effect(Kind.RESUMED, reason=Reason.REOPENED, target=None),
            effect(Kind.RESUMED, reason=Reason.RESUME_CONDITION),
        ],
        clock_is_wall=True,
    )

    assert value("sla_commitments_reopened_total", **P1) == 1


def _met_once(value: Value, commitment: str) -> float:
    """Met commitments as the recording rules compute them."""
    labels = {"policy": "gold", "commitment": commitment, "priority": "p1", "team": ""}
    met = value("sla_commitments_total", **labels, outcome="met") or 0
    taken_back = {kind: value("sla_retractions_total", **labels, kind=kind) or 0 for kind in KINDS}
    reopened = value("sla_commitments_reopened_total", **labels) or 0
    return met - taken_back["met"] - reopened + taken_back["reopening"]


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_a_commitment_met_twice_counts_once_in_whatever_order_its_events_come(order: tuple[int, ...]) -> None:
    row = BUILT_IN["resolution"]
    resolved = Commitment("resolution", row, Choice.fixed(Duration.parse("2d")))
    policies = policy_set(Policy("gold", 1, Choice.fixed("24x7"), commitments=(resolved,)))
    metrics = Metrics(policies)
    life: list[tuple[EventType, str]] = [
        ("ticket.created", "open"),
        ("ticket.changed", "solved"),
        ("ticket.changed", "open"),
        ("ticket.changed", "solved"),
    ]
    events = [
        Event(at=hour * 3_600_000_000, id=str(hour), type=kind, source="desk", fields={"status": status, "priority": "p1"})
        for hour, (kind, status) in enumerate(life, 1)
    ]
    engine, state = Engine(policies), None
    for number in order:
        step = engine.apply(state, "desk/1", events[number], 0)
        state = step.state
        # What an installation without routine effects sends must do.
        metrics.effects([each for each in step.effects if not each.routine], clock_is_wall=False)

    def read(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(name, labels)

    assert _met_once(read, "resolution") == 1


def test_a_breach_detected_through_a_late_event_is_counted_as_late_and_has_no_detection_delay(
    metrics: Metrics, value: Value
) -> None:
    metrics.effects([effect(Kind.BREACHED, late=True)], clock_is_wall=True)

    assert value("sla_commitments_total", **P1, outcome="breached") == 1
    assert value("sla_late_breaches_total", policy="gold", commitment="first_response", through="event") == 1
    assert value("sla_breach_detection_delay_seconds_count") == 0


LAGGING = {"provisional": True, "provisional_reason": ProvisionalReason.FEED_LAGGING}


def test_a_provisional_breach_is_counted_as_such_and_once_more_when_it_is_confirmed(metrics: Metrics, value: Value) -> None:
    provisional = effect(Kind.BREACHED, **LAGGING)
    metrics.effects([provisional], clock_is_wall=True)

    def counts() -> tuple[float | None, ...]:
        labels = {"policy": "gold", "commitment": "first_response"}
        return (
            value("sla_commitments_total", **P1, outcome="breached"),
            value("sla_provisional_breaches_total", **labels),
            value("sla_retractions_total", **P1, kind="breach"),
            value("sla_breach_detection_delay_seconds_count"),
        )

    assert counts() == (1, 1, 0, 1)
    again = effect(Kind.BREACHED, id=f"{provisional.id}.1")
    metrics.effects(
        [effect(Kind.BREACH_RETRACTED, retracts=provisional.id, **LAGGING), again], clock_is_wall=True, unmeasured={again.id}
    )
    assert counts() == (2, 1, 1, 1)


def test_a_breach_that_pages_leaves_its_instant_and_one_for_which_nobody_can_act_leaves_none(
    metrics: Metrics, value: Value
) -> None:
    def newest() -> float | None:
        return value("sla_page_breach_timestamp_seconds", **P1)

    def breach(at: int, **more: Any) -> None:
        metrics.effects([effect(Kind.BREACHED, detected_at=at * 1_000_000, **more)], clock_is_wall=True)

    breach(1)
    breach(2, page=True, late=True)
    breach(3, page=True, deployment=4)
    breach(4, page=True, **LAGGING)
    metrics.effects([effect(Kind.BREACHED, detected_at=5_000_000, page=True)], clock_is_wall=False)
    assert newest() is None
    breach(6, page=True)
    assert newest() == 6


def test_a_provisional_breach_pages_when_it_is_confirmed(metrics: Metrics, value: Value) -> None:
    provisional = effect(Kind.BREACHED, page=True, **LAGGING)
    metrics.effects([provisional], clock_is_wall=True)
    again = effect(Kind.BREACHED, id=f"{provisional.id}.1", page=True, detected_at=7_000_000)
    taken_back = effect(Kind.BREACH_RETRACTED, retracts=provisional.id, page=True, **LAGGING)

    metrics.effects([taken_back, again], clock_is_wall=True, unmeasured={again.id})

    assert value("sla_page_breach_timestamp_seconds", **P1) == 7


def test_only_breaches_that_page_make_series_of_them(metrics: Metrics) -> None:
    def series() -> int:
        return sum(one.name == "sla_page_breach_timestamp_seconds" for f in metrics.registry.collect() for one in f.samples)

    for team in range(2 * TEAMS):
        metrics.effects([effect(Kind.BREACHED, fields={"priority": "p1", "team": str(team)})], clock_is_wall=True)
    assert series() == 0
    for team in range(2 * TEAMS):
        metrics.effects([effect(Kind.BREACHED, page=True, fields={"priority": "p1", "team": str(team)})], clock_is_wall=True)
    assert series() == TEAMS + 1


def test_a_late_breach_is_late_and_not_provisional_as_well(metrics: Metrics, value: Value) -> None:
    metrics.effects([effect(Kind.BREACHED, late=True, **LAGGING)], clock_is_wall=True)

    assert value("sla_late_breaches_total", policy="gold", commitment="first_response", through="event") == 1
    assert value("sla_provisional_breaches_total", policy="gold", commitment="first_response") == 0


def test_a_provisional_level_is_an_escalation_once_it_is_confirmed(metrics: Metrics, value: Value) -> None:
    what: dict[str, Any] = {"ladder": "management", "level": "executive", "reason": Reason.AFTER_DEADLINE}
    provisional = effect(Kind.RAISED, **what, **LAGGING)
    taken_back = effect(Kind.ESCALATION_RETRACTED, **what, retracts=provisional.id, **LAGGING)
    level = {"policy": "gold", "ladder": "management", "level": "executive"}

    def counts() -> tuple[float | None, float | None]:
        return (
            value("sla_escalations_total", **level, reason="after_deadline"),
            value("sla_provisional_escalations_total", **level),
        )

    metrics.effects([provisional], clock_is_wall=True)
    assert counts() == (0, 1)
    metrics.effects([taken_back, effect(Kind.RAISED, **what, id=f"{provisional.id}.1", **LAGGING)], clock_is_wall=True)
    assert counts() == (0, 1)  # a late event changed what it shows
    metrics.effects([taken_back, effect(Kind.RAISED, **what, id=f"{provisional.id}.2")], clock_is_wall=True)
    assert counts() == (1, 1)
    stated = effect(Kind.ESCALATION_RETRACTED, **what, retracts=f"{provisional.id}.2")
    metrics.effects([stated, effect(Kind.RAISED, **what, id=f"{provisional.id}.3")], clock_is_wall=True)
    assert counts() == (1, 1)


@pytest.mark.parametrize("late", [False, True])
def test_a_breach_through_a_deployment_is_counted_once_as_such_and_has_no_detection_delay(
    metrics: Metrics, value: Value, late: bool
) -> None:
    metrics.effects([effect(Kind.BREACHED, deployment=7, late=late)], clock_is_wall=True)

    assert value("sla_commitments_total", **P1, outcome="breached") == 1
    assert value("sla_late_breaches_total", policy="gold", commitment="first_response", through="deployment") == 1
    assert value("sla_late_breaches_total", policy="gold", commitment="first_response", through="event") == 0
    assert value("sla_breach_detection_delay_seconds_count") == 0


def test_the_detection_delay_of_a_breach_is_measured_in_seconds_on_the_wall_clock(metrics: Metrics, value: Value) -> None:
    metrics.effects([effect(Kind.BREACHED)], clock_is_wall=True)

    assert value("sla_breach_detection_delay_seconds_sum") == pytest.approx(0.3)
    assert value("sla_breach_detection_delay_seconds_bucket", le="0.25") == 0
    assert value("sla_breach_detection_delay_seconds_bucket", le="0.5") == 1


def test_the_detection_delay_is_not_measured_when_the_feed_sets_the_time(metrics: Metrics, value: Value) -> None:
    metrics.effects([effect(Kind.BREACHED)], clock_is_wall=False)

    assert value("sla_breach_detection_delay_seconds_count") == 0


def test_warnings_are_counted_by_their_threshold(metrics: Metrics, value: Value) -> None:
    metrics.effects([effect(Kind.WARNED, level="50%", reason=Reason.SHARE_USED)], clock_is_wall=True)

    assert value("sla_warnings_total", policy="gold", commitment="first_response", stage="50%") == 1


@pytest.mark.parametrize("kind", [Kind.RAISED, Kind.RECURRED])
def test_raised_and_recurred_levels_are_escalations(metrics: Metrics, value: Value, kind: Kind) -> None:
    raised = effect(kind, ladder="management", level="executive", reason=Reason.RECURRENCE)
    metrics.effects([raised], clock_is_wall=True)

    level = {"policy": "gold", "ladder": "management", "level": "executive"}
    assert value("sla_escalations_total", **level, reason="recurrence") == 1


@pytest.mark.parametrize("kind", [Kind.REPEATED, Kind.REFUSED, Kind.ACKNOWLEDGED, Kind.ESCALATION_RETRACTED])
def test_other_effects_of_an_escalation_do_not_count_as_raised(metrics: Metrics, value: Value, kind: Kind) -> None:
    step = effect(kind, ladder="management", level="executive", reason=Reason.REQUESTED)
    metrics.effects([step], clock_is_wall=True)

    level = {"policy": "gold", "ladder": "management", "level": "executive"}
    assert value("sla_escalations_total", **level, reason="requested") == 0
    assert value("sla_effects_total", type=kind.value) == 1


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_effect_is_counted(metrics: Metrics, value: Value, kind: Kind) -> None:
    metrics.effects([effect(kind, ladder="management", level="executive")], clock_is_wall=True)

    assert value("sla_effects_total", type=kind.value) == 1


def test_events_rejections_and_unmatched_tickets_are_counted_by_the_given_number(metrics: Metrics, value: Value) -> None:
    metrics.event("ticket.changed", "applied", 40)
    metrics.event("ticket.changed", "applied")
    metrics.rejected("future", 2)
    metrics.unmatched("spelling")
    metrics.unmatched("other", 2)

    assert value("sla_events_total", type="ticket.changed", result="applied") == 41
    assert value("sla_events_rejected_total", reason="future") == 2
    assert value("sla_tickets_unmatched_total", cause="spelling") == 1
    assert value("sla_tickets_unmatched_total", cause="other") == 2


def test_an_unknown_reason_raises_an_error(metrics: Metrics) -> None:
    with pytest.raises(KeyError):
        metrics.rejected("because")


def test_partitions_are_owned_from_their_first_update_and_live_once_set(metrics: Metrics, value: Value) -> None:
    metrics.partition(0)
    metrics.partition(1, watermark=1_700_000_000_500_000, live=True)
    metrics.partition(1, watermark=1_700_000_001_500_000)

    assert value("sla_partitions_owned") == 2
    assert value("sla_partitions_live") == 1
    assert value("sla_last_event_timestamp_seconds", partition="1") == 1_700_000_001.5
    assert value("sla_last_event_timestamp_seconds", partition="0") is None


def test_a_revoked_partition_has_no_series(metrics: Metrics, value: Value) -> None:
    metrics.partition(1, watermark=1_700_000_000_500_000, live=True)
    metrics.open_commitments.begin(1).add([RUNNING])
    assert value("sla_open_commitments", **P1, state="running") == 1
    metrics.partition_revoked(1)
    metrics.partition_revoked(1)

    assert value("sla_open_commitments", **P1, state="running") == 0
    assert value("sla_partitions_owned") == 0
    assert value("sla_partitions_live") == 0
    assert value("sla_last_event_timestamp_seconds", partition="1") is None


def test_a_partition_without_an_event_can_be_revoked(metrics: Metrics, value: Value) -> None:
    metrics.partition(3)
    metrics.partition_revoked(3)

    assert value("sla_partitions_owned") == 0


def test_the_last_check_of_the_timers_is_an_instant_in_seconds(metrics: Metrics, value: Value) -> None:
    assert value("sla_last_wakeup_timestamp_seconds") == 0

    metrics.woke(1_700_000_000_250_000)

    assert value("sla_last_wakeup_timestamp_seconds") == 1_700_000_000.25


def test_policy_gauges_come_from_the_newest_version() -> None:
    metrics = Metrics(policy_set(gold(version=2, objective=0.9, p1="30m"), gold(version=1), silver()))
    read = metrics.registry.get_sample_value

    what = {"policy": "gold", "commitment": "first_response"}
    assert read("sla_objective_ratio", what) == 0.9
    assert read("sla_target_seconds", {**what, "priority": "p1", "clock": "wall"}) == 1800
    assert read("sla_target_seconds", {**what, "priority": "p2", "clock": "business"}) == 28_800
    assert read("sla_objective_ratio", {"policy": "silver", "commitment": "resolution"}) is None
    assert read("sla_escalation_top_level", {"policy": "gold", "ladder": "management", "level": "executive"}) == 1
    assert read("sla_escalation_top_level", {"policy": "gold", "ladder": "management", "level": "team-lead"}) is None


def test_a_deployment_shows_its_policies_in_place_of_the_ones_before(metrics: Metrics, value: Value) -> None:
    metrics.deployed(policy_set(gold(version=2, objective=0.9, p1="30m")), "bb", 1_700_000_000.5)

    what = {"policy": "gold", "commitment": "first_response"}
    assert value("sla_objective_ratio", **what) == 0.9
    assert value("sla_target_seconds", **what, priority="p1", clock="wall") == 1800
    assert value("sla_policy_info", policy="gold", version="2") == 1
    assert value("sla_policy_info", policy="gold", version="1") is None
    assert value("sla_policy_info", policy="silver", version="1") is None
    assert value("sla_policies_loaded_timestamp_seconds", fingerprint="bb") == 1_700_000_000.5


def test_the_names_of_a_deployment_have_their_series_at_zero_and_older_names_keep_theirs(
    metrics: Metrics, value: Value
) -> None:
    metrics.effects([effect(Kind.BREACHED)], clock_is_wall=True)
    repair = Commitment("repair", BUILT_IN["resolution"], by_priority(p1="1h", p2="2h"))
    bronze = Policy(name="bronze", version=1, calendar=Choice.fixed("24x7"), commitments=(repair,))
    metrics.deployed(policy_set(bronze), "bb", 1_700_000_000.0)

    new = {"policy": "bronze", "commitment": "repair", "priority": "p2", "team": ""}
    assert value("sla_commitments_total", **new, outcome="breached") == 0
    assert value("sla_open_commitments", **new, state="running") == 0
    assert value("sla_commitments_total", **P1, outcome="breached") == 1


def test_an_open_commitment_is_counted_in_one_series_although_a_deployment_names_its_priority(
    metrics: Metrics, value: Value
) -> None:
    counts = metrics.open_commitments.begin(0)
    others = [f"urgent-{number}" for number in range(EXTRA_PRIORITIES)]
    for priority in (*others, "p7"):
        counts.add([RUNNING._replace(priority=priority)])
    assert value("sla_open_commitments", **(P1 | {"priority": "other"}), state="running") == 1
    answer = Commitment("first_response", BUILT_IN["first_response"], by_priority(p7="1h", p8="2h"))
    p7 = Policy(name="gold", version=2, calendar=Choice.fixed("24x7"), commitments=(answer,))
    metrics.deployed(policy_set(p7), "bb", 1_700_000_000.0)
    counts.add([RUNNING._replace(priority="p7"), RUNNING._replace(priority="p8")])

    assert value("sla_open_commitments", **(P1 | {"priority": "other"}), state="running") == 2
    assert value("sla_open_commitments", **(P1 | {"priority": "p7"}), state="running") is None
    assert value("sla_open_commitments", **(P1 | {"priority": "p8"}), state="running") == 1


def test_what_a_deployment_could_not_do_because_of_a_cut_history_is_counted(metrics: Metrics, value: Value) -> None:
    metrics.rejudged(unbuilt=3, cut=2)

    assert value("sla_deployment_unbuilt_rows_total") == 3
    assert value("sla_deployment_cut_tickets_total") == 2


def test_a_breach_carries_its_ticket_as_an_exemplar_cut_to_what_the_format_allows(metrics: Metrics) -> None:
    metrics.effects([effect(Kind.BREACHED, ticket="desk/" + "9" * 300)], clock_is_wall=True)

    text = generate_openmetrics(metrics.registry).decode()
    assert f'# {{ticket="desk/{"9" * 117}"}} 1.0' in text
    assert f'# {{ticket="desk/{"9" * 117}"}} 0.3' in text


def test_the_number_of_series_is_bounded_for_any_content_of_tickets(metrics: Metrics) -> None:
    kinds = (Kind.STARTED, Kind.BREACHED, Kind.MET, Kind.RETRACTED, Kind.WARNED, Kind.RAISED)
    counts = metrics.open_commitments.begin(0)
    for number in range(3000):
        fields = {"priority": f"urgent-{number}", "team": f"team-{number % 200}"}
        names = {"policy": f"p{number}", "commitment": f"c{number}", "ladder": f"l{number}", "level": f"m{number}"}
        metrics.effects([effect(kind, fields=fields, **names) for kind in kinds], clock_is_wall=True)
        counts.add([RUNNING._replace(priority=fields["priority"], team=fields["team"])])
        metrics.effects([effect(Kind.STARTED, fields=fields)], clock_is_wall=True)

    series: dict[str, set[tuple[Any, ...]]] = {}
    for family in metrics.registry.collect():
        for sample in family.samples:
            series.setdefault(family.name, set()).add((sample.name, *sorted(sample.labels.items())))
    # Three policies' worth of names are known at most, and of each pair a last label set that takes the rest.
    sets = LABEL_SETS + 23 * 23
    assert len(series["sla_commitments"]) <= 3 * sets
    assert len(series["sla_open_commitments"]) <= 3 * sets
    assert len(series["sla_open_commitment_remaining_seconds"]) <= (len(LEFT.buckets) + 1) * sets
    assert len(series["sla_open_commitment_age_seconds"]) <= (len(AGE.buckets) + 1) * 23 * 23
    assert len({s for s in series["sla_commitments"] if ("policy", "gold") in s}) <= 3 * (TEAMS + 2) * (EXTRA_PRIORITIES + 4)
    teams = {dict(labels)["team"] for _, *labels in series["sla_open_commitments"]}
    assert len(teams) <= TEAMS + 2
    assert "other" in teams


def test_the_label_of_a_team_that_is_a_list_has_all_its_values(metrics: Metrics, value: Value) -> None:
    metrics.effects([effect(Kind.STARTED, fields={"priority": "p1", "team": ["a", "b"]})], clock_is_wall=True)

    assert value("sla_commitments_started_total", **(P1 | {"team": "a, b"})) == 1


def test_two_workers_in_one_process_need_two_registries() -> None:
    registry = CollectorRegistry()
    Metrics(policy_set(gold()), registry)

    with pytest.raises(ValueError, match="Duplicated"):
        Metrics(policy_set(gold()), registry)


@pytest.mark.promtool
def test_promtool_accepts_the_exposition(metrics: Metrics) -> None:
    metrics.effects([effect(kind, ladder="management", level="executive") for kind in Kind], clock_is_wall=True)
    metrics.open_commitments.begin(0).add([RUNNING])
    metrics.partition(0, watermark=1_700_000_000_500_000, live=True)
    promtool = shutil.which("promtool")
    assert promtool, "promtool is missing: install the Debian package prometheus"

    done = subprocess.run(
        [promtool, "check", "metrics"], input=generate_latest(metrics.registry), capture_output=True, check=False
    )

    assert (done.returncode, done.stderr.decode()) == (0, "")


def test_the_exposition_with_exemplars_is_openmetrics_to_its_end(metrics: Metrics) -> None:
    metrics.effects([effect(Kind.BREACHED)], clock_is_wall=True)
    metrics.open_commitments.begin(0).add([RUNNING._replace(due_at=1_700_000_060_000_000)])

    families = {
        family.name: family for family in text_string_to_metric_families(generate_openmetrics(metrics.registry).decode())
    }

    assert families["sla_open_commitment_remaining_seconds"].type == "gaugehistogram"
    assert any(sample.exemplar for sample in families["sla_commitments"].samples)
