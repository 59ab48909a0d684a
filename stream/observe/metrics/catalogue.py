"""Every metric of breachwatch as data: name, type, labels and meaning. ``docs/build.py`` writes ``docs/reference/metrics.md``
from it.

The rules and dashboards are tested against this table, so none of them can query a metric that no worker exports. The file is
longer than 250 lines because it is one table, with about six lines for each metric.
"""

from __future__ import annotations

from typing import Final

from stream.observe.metrics.families import Spec

_TICKET_LABELS: Final = ("policy", "commitment", "priority", "team", "customer")
"""The customer is a label only with the setting ``metric_customers``."""
_COMMITMENT_LABELS: Final = ("policy", "commitment")
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
    "Valid events processed. result: applied (in order), late (arrived after newer ones and was put in its "
    "place), duplicate (known id), erased (its ticket was erased, so it was ignored). Rejected events are counted separately.",
)
REJECTED: Final = Spec(
    "sla_events_rejected_total",
    "counter",
    ("reason",),
    "Records rejected and sent to the topic of rejected events.",
)
INPUT_LOST: Final = Spec(
    "sla_input_lost_records_total",
    "counter",
    (),
    "Records of the input that were gone before this worker read them, by their offsets.",
)
INPUT_LOST_AT: Final = Spec(
    "sla_input_lost_timestamp_seconds",
    "gauge",
    ("partition",),
    "When records of the input were last found to be gone before they were read, in each partition this worker owns; 0: never. "
    "Kept over restarts.",
)
FEED_RECEIVED: Final = Spec(
    "sla_feed_received_timestamp_seconds",
    "gauge",
    ("source",),
    "The newest event time of each source, in the partitions this worker owns.",
)
FEED_COMPLETE: Final = Spec(
    "sla_feed_complete_timestamp_seconds",
    "gauge",
    ("source",),
    "Up to when the feed of each watched source is complete: the earliest such instant of this worker's live partitions. "
    "Absent for sources whose ticks have no state.",
)
FEED_STATE: Final = Spec(
    "sla_feed_state",
    "gauge",
    ("source", "feed_state"),
    "1 for the state that the newest tick of each watched source gave: complete, lagging or unreachable; 0 for the others.",
)
FEED_WAITING: Final = Spec(
    "sla_feed_waiting_tickets",
    "gauge",
    ("source",),
    "Tickets that have provisional effects and wait for the feed of this source to be complete.",
)
FEED_LAG_LIMIT: Final = Spec(
    "sla_feed_lag_limit_seconds",
    "gauge",
    (),
    "The setting feed_lag_limit: breaches are provisional where the feed is complete only up to longer than this before them.",
)
UNMATCHED: Final = Spec(
    "sla_tickets_unmatched_total",
    "counter",
    ("cause",),
    "Tickets without a commitment. cause: spelling (a field differs from what a policy names only in case, spaces or form of "
    "Unicode; the log names it), other (for instance, no policy covers their priority).",
)
STARTED: Final = Spec(
    "sla_commitments_started_total",
    "counter",
    _TICKET_LABELS,
    "Stopwatches started, including those without a target. Stays at 0 if routine effects are switched off.",
)
DECIDED: Final = Spec(
    "sla_commitments_total",
    "counter",
    (*_TICKET_LABELS, "outcome"),
    "Verdicts: met in time, breached at the instant the target passed, or cancelled. A verdict that is undone "
    "stays counted here and is also counted elsewhere: in sla_retractions_total if a late event showed that it "
    "was never true, in sla_commitments_reopened_total if the ticket was reopened. Each commitment counts once in "
    "met minus retracted met minus reopenings, and in breached minus retracted breaches.",
)
RETRACTIONS: Final = Spec(
    "sla_retractions_total",
    "counter",
    (*_TICKET_LABELS, "kind"),
    "Commitment effects retracted because a late event changed the record. kind: breach, met, reopening (of a met "
    "commitment: it stays met), or other (a warning, a start, ...).",
)
REOPENED: Final = Spec(
    "sla_commitments_reopened_total",
    "counter",
    _TICKET_LABELS,
    "Met commitments that are open again because the ticket was reopened; each will get another verdict. Labelled "
    "with the priority, team and customer at that time, so only sums over these are comparable with the verdicts. A "
    "retracted reopening is also counted in sla_retractions_total (kind=reopening).",
)
LATE_BREACHES: Final = Spec(
    "sla_late_breaches_total",
    "counter",
    (*_COMMITMENT_LABELS, "through"),
    "Breaches that did not become true as time passed, but through a late or old event (through=event) or a deployment "
    "(through=deployment): not a reason to page. They are included in sla_commitments_total; the burn rate alerts "
    "exclude them, compliance includes them.",
)
PROVISIONAL_BREACHES: Final = Spec(
    "sla_provisional_breaches_total",
    "counter",
    _COMMITMENT_LABELS,
    "Breaches that were provisional when they were published, because events may be missing: not a reason to page. They are "
    "included in sla_commitments_total; the burn rate alerts exclude them, and count a breach when it is confirmed.",
)
PAGES: Final = Spec(
    "sla_page_breach_timestamp_seconds",
    "gauge",
    _TICKET_LABELS[:-1],
    "Wall clock time of the newest breach whose policy states that a single one pages. Exists from the first such breach on. "
    "Excludes late breaches, those through a deployment, all in clock mode event, and provisional ones until they are "
    "confirmed.",
)
WARNINGS: Final = Spec(
    "sla_warnings_total",
    "counter",
    (*_COMMITMENT_LABELS, "stage"),
    "Warnings, by the threshold of the policy that was passed (75%, 2bd, -30m).",
)
ESCALATIONS: Final = Spec(
    "sla_escalations_total",
    "counter",
    ("policy", "ladder", "level", "reason"),
    "Escalation levels raised, for the first time or again after a recurrence; repetitions of a level are not counted. "
    "Provisional ones are counted when they are confirmed.",
)
LATE_ESCALATIONS: Final = Spec(
    "sla_late_escalations_total",
    "counter",
    ("policy", "ladder", "level"),
    "Escalation levels raised through a late event or a deployment: not a reason to page. They are included in "
    "sla_escalations_total.",
)
PROVISIONAL_ESCALATIONS: Final = Spec(
    "sla_provisional_escalations_total",
    "counter",
    ("policy", "ladder", "level"),
    "Escalation levels that were provisional when they were raised, because events may be missing: not a reason to page. They "
    "are not included in sla_escalations_total.",
)
EFFECTS: Final = Spec("sla_effects_total", "counter", ("type",), "Effects published, of every type.")
TIME: Final = Spec(
    "sla_commitment_time_seconds",
    "histogram",
    (*_COMMITMENT_LABELS, "priority", "customer"),
    "Time used when a commitment was fulfilled, in time, late or without a target, on the clock of its target "
    "(business time for a target in business time), without pauses. Unfulfilled commitments are not included.",
    _LENGTHS,
)
USED: Final = Spec(
    "sla_commitment_used_ratio",
    "histogram",
    _COMMITMENT_LABELS,
    "Share of the target used when a commitment was fulfilled; above 1: late.",
    (0.25, 0.5, 0.75, 0.9, 1.0, 1.25, 1.5, 2.0, 4.0),
)
PAUSED: Final = Spec(
    "sla_commitment_paused_seconds",
    "histogram",
    _COMMITMENT_LABELS,
    "Time paused when a commitment was fulfilled, on the same clock as the time used.",
    _LENGTHS,
)
DELAY: Final = Spec(
    "sla_breach_detection_delay_seconds",
    "histogram",
    (),
    "Time from a breach to its detection, in wall time: the detector's own service level. Excludes breaches "
    "through a late event or a deployment, breaches that were true before their event arrived, and all breaches in clock "
    "mode event.",
    (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0),
)
OPEN: Final = Spec(
    "sla_open_commitments",
    "gauge",
    (*_TICKET_LABELS, "state"),
    "Commitments not yet fulfilled, of the partitions this worker owns: running, paused, or breached and not fulfilled.",
)
LEFT: Final = Spec(
    "sla_open_commitment_remaining_seconds",
    "gaugehistogram",
    (*_COMMITMENT_LABELS, "team", "customer"),
    "Open commitments by the wall time until their deadline, as of now, to the minute. le=0: breached and not "
    "fulfilled, or about to be breached. Paused ones have no deadline and are not included.",
    (0, 15 * _MINUTE, 30 * _MINUTE, _HOUR, 2 * _HOUR, 4 * _HOUR, 8 * _HOUR, _DAY),
)
AGE: Final = Spec(
    "sla_open_commitment_age_seconds",
    "gaugehistogram",
    _COMMITMENT_LABELS,
    "Open commitments by the wall time since their stopwatch started, as of now, to the quarter-hour.",
    (*(h * _HOUR for h in (1, 4, 8)), *(d * _DAY for d in (1, 2, 3, 7, 14, 30))),
)
NEXT_DEADLINE: Final = Spec(
    "sla_next_deadline_timestamp_seconds",
    "gauge",
    _COMMITMENT_LABELS,
    "The soonest deadline of a running commitment, to the minute; 0: none within a day.",
)
CLOCK: Final = Spec(
    "sla_clock_timestamp_seconds",
    "gauge",
    (),
    "The current time for deadlines, as of the scrape: the wall clock, or in clock mode event the newest instant "
    "of the feed (0: none yet). Compare the timestamps of deadlines with it.",
)
LAST_EVENT: Final = Spec(
    "sla_last_event_timestamp_seconds",
    "gauge",
    ("partition",),
    "The newest event time in each partition this worker owns.",
)
PARTITIONS_OWNED: Final = Spec("sla_partitions_owned", "gauge", (), "Input partitions this worker owns.")
PARTITIONS_LIVE: Final = Spec(
    "sla_partitions_live",
    "gauge",
    (),
    "Owned partitions that have caught up with their backlog, so that timers fire by the clock.",
)
LAST_WAKEUP: Final = Spec(
    "sla_last_wakeup_timestamp_seconds",
    "gauge",
    (),
    "Wall clock time when timers were last checked; 0 before the first time.",
)
CLOCK_STEPS: Final = Spec(
    "sla_clock_steps_total",
    "counter",
    ("direction",),
    "Times the machine's clock was set by more than a second while the worker ran: ahead or back. Deadlines "
    "depend on this clock.",
)
EVENT_AGE: Final = Spec(
    "sla_event_age_seconds",
    "histogram",
    (),
    "Time from an event's arrival at Kafka until all its consequences are durable, for the oldest event of each "
    "unit of work: how far the detector is behind the input.",
    (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0, 21_600.0),
)
UNIT_OF_WORK: Final = Spec(
    "sla_turn_seconds",
    "histogram",
    ("work",),
    "Duration of a unit of work of a partition, including waiting for the broker. work: events, or deadlines alone.",
    (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
REBALANCE: Final = Spec(
    "sla_rebalance_seconds",
    "histogram",
    (),
    "Duration of rebalances, from the group's first notification until this worker's tickets were restored and "
    "its input flowed again; includes the one at the start.",
    (0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0),
)
UNSENT: Final = Spec(
    "sla_unsent_effects_timestamp_seconds",
    "gauge",
    (),
    "Wall clock time since which the oldest effects that are not yet in the output topics have been waiting; 0: "
    "none are waiting.",
)
LAG: Final = Spec(
    "sla_committed_lag_records",
    "gauge",
    ("partition",),
    "Records of the input that are published and not yet committed as processed, as of a few seconds ago.",
)
UNREAD_PARTITIONS: Final = Spec(
    "sla_input_unread_partitions",
    "gauge",
    (),
    "Partitions of the input topic that no worker reads, because the topic has got more of them since the topics were created.",
)
TOPICS_MISSING: Final = Spec(
    "sla_topics_missing",
    "gauge",
    (),
    "Topics of this installation that do not exist any more, or that the account of the worker may not describe.",
)
TOPIC_SETTINGS_WRONG: Final = Spec(
    "sla_topic_settings_wrong",
    "gauge",
    (),
    "Settings of the topics of this installation with which records are refused, or deleted before they are read.",
)
TICKETS: Final = Spec("sla_tickets", "gauge", ("partition",), "Tickets in the table, including closed ones.")
WAITING: Final = Spec(
    "sla_tickets_waiting",
    "gauge",
    ("partition",),
    "Tickets with a timer: a deadline, a warning or a level of a ladder.",
)
OBJECTIVE: Final = Spec(
    "sla_objective_ratio",
    "gauge",
    _COMMITMENT_LABELS,
    "The share of commitments that must be met, from the newest version of the policy.",
)
TARGET: Final = Spec(
    "sla_target_seconds",
    "gauge",
    (*_COMMITMENT_LABELS, "priority", "clock"),
    "The target from the newest version of the policy, on its clock: business seconds (a business day has the "
    "length that the calendar defines) or wall seconds. Omitted if it does not depend on the priority alone, and "
    "for calendar months and delays in business days.",
)
TOP_LEVEL: Final = Spec(
    "sla_escalation_top_level",
    "gauge",
    ("policy", "ladder", "level"),
    "1 for the last level of each ladder, so that alerts can find it.",
)
DELAY_OBJECTIVE: Final = Spec(
    "sla_breach_detection_delay_objective_seconds",
    "gauge",
    (),
    "The time within which 99 of 100 breaches must be detected: the detector's own objective.",
)
POLICY_INFO: Final = Spec(
    "sla_policy_info",
    "gauge",
    ("policy", "version"),
    "1 for the newest version of each policy of the newest deployment that this worker knows.",
)
POLICIES: Final = Spec(
    "sla_policies_loaded_timestamp_seconds",
    "gauge",
    ("fingerprint",),
    "When this worker read its newest deployment: at its start, or from the log later. The fingerprint is that of the "
    "policies as deployed, and changes with any change of the policies or their calendars, holidays and time zones included.",
)
DEPLOYMENT_TIME: Final = Spec(
    "sla_deployment_timestamp_seconds",
    "gauge",
    ("deployment", "kind"),
    "When the newest deployment that this worker knows was appended to the log of deployments.",
)
DEPLOYMENT_NEWEST: Final = Spec("sla_deployment_newest", "gauge", (), "Number of the newest deployment that this worker knows.")
DEPLOYMENT_SWEPT: Final = Spec(
    "sla_deployment_swept",
    "gauge",
    ("partition",),
    "Number of the newest deployment that every ticket of the partition has met.",
)
SWEEP_LEFT: Final = Spec(
    "sla_sweep_remaining_tickets",
    "gauge",
    ("partition",),
    "Tickets that a sweep has still to wake; 0 if no sweep is in progress.",
)
FILES_DIFFER: Final = Spec(
    "sla_policy_files_differ",
    "gauge",
    (),
    "1 if the policy files of this worker differ from the newest deployment that it knows; otherwise 0.",
)
LOG_BEHIND: Final = Spec(
    "sla_deployment_log_behind_records",
    "gauge",
    (),
    "Records of the log of deployments that this worker has not read.",
)
LOG_READ: Final = Spec(
    "sla_deployment_log_answer_timestamp_seconds",
    "gauge",
    (),
    "Wall clock time when a broker last answered this worker's request for new deployments.",
)
LOG_UNREADABLE: Final = Spec(
    "sla_deployment_log_unreadable_total",
    "counter",
    (),
    "Records of the log of deployments that cannot be read and are therefore void for all workers. Each worker counts all of "
    "them, from the beginning of the log.",
)
UNBUILT: Final = Spec(
    "sla_deployment_unbuilt_rows_total",
    "counter",
    (),
    "New metrics of a deployment that an open ticket does not have until its next cycle, because the events that they are "
    "built from are no longer kept.",
)
CUT: Final = Spec(
    "sla_deployment_cut_tickets_total",
    "counter",
    (),
    "Tickets that a deployment could rejudge only from a later instant than its own, because earlier events are no longer "
    "kept.",
)
BUILD: Final = Spec(
    "sla_detector_build_info",
    "gauge",
    ("version", "app_id", "tzdata", "holidays", "hot_path"),
    "1, with the version of breachwatch, the topic prefix and app_id of the installation, the releases of the time zone and "
    "holiday data that policies are read with, and whether the hot path is compiled or interpreted.",
)
COLLECTOR_SECONDS: Final = Spec(
    "sla_collector_duration_seconds", "gauge", ("collector",), "Time it took to collect these gauges for this scrape."
)
COLLECTOR_ERRORS: Final = Spec(
    "sla_collector_errors_total",
    "counter",
    ("collector",),
    "Scrapes at which these gauges could not be collected and are missing; the log gives the reason.",
)

CATALOGUE: Final = (
    EVENTS,
    REJECTED,
    INPUT_LOST,
    INPUT_LOST_AT,
    FEED_RECEIVED,
    FEED_COMPLETE,
    FEED_STATE,
    FEED_WAITING,
    FEED_LAG_LIMIT,
    UNMATCHED,
    STARTED,
    DECIDED,
    RETRACTIONS,
    REOPENED,
    LATE_BREACHES,
    PROVISIONAL_BREACHES,
    PAGES,
    WARNINGS,
    ESCALATIONS,
    LATE_ESCALATIONS,
    PROVISIONAL_ESCALATIONS,
    EFFECTS,
    TIME,
    USED,
    PAUSED,
    DELAY,
    OPEN,
    LEFT,
    AGE,
    NEXT_DEADLINE,
    CLOCK,
    LAST_EVENT,
    PARTITIONS_OWNED,
    PARTITIONS_LIVE,
    LAST_WAKEUP,
    CLOCK_STEPS,
    EVENT_AGE,
    UNIT_OF_WORK,
    REBALANCE,
    UNSENT,
    LAG,
    UNREAD_PARTITIONS,
    TOPICS_MISSING,
    TOPIC_SETTINGS_WRONG,
    TICKETS,
    WAITING,
    OBJECTIVE,
    TARGET,
    TOP_LEVEL,
    DELAY_OBJECTIVE,
    POLICY_INFO,
    POLICIES,
    DEPLOYMENT_TIME,
    DEPLOYMENT_NEWEST,
    DEPLOYMENT_SWEPT,
    SWEEP_LEFT,
    FILES_DIFFER,
    LOG_BEHIND,
    LOG_READ,
    LOG_UNREADABLE,
    UNBUILT,
    CUT,
    BUILD,
    COLLECTOR_SECONDS,
    COLLECTOR_ERRORS,
)
