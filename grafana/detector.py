"""*Detector health*, for whoever is on call: what goes in and out, how late, and what does the machine have left?

Longer than 250 lines because it is one dashboard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from boards import INSTALLATION, Row, dashboard, installation_variables, label_variable, text_variable
from panels import (
    GREEN,
    RED,
    Column,
    Query,
    graph,
    stat,
    table,
)

if TYPE_CHECKING:
    from panels import Json

WHICH: Final = f'instance=~"$instance", {INSTALLATION}'
SERVED: Final = 'installation=~"$installation"'
"""Of programs that are other jobs than the workers."""
RATE: Final = "$__rate_interval"


def board() -> Json:
    return dashboard(
        "sla-detector",
        "Detector health",
        "Health of the detector: its input and output, its delay, and its resources.",
        "1h",
        [
            *installation_variables(),
            label_variable("instance", "Worker", "sla_detector_build_info"),
            text_variable("docs", "Documentation at", "/public/docs"),
        ],
        [
            Row("", 4, _figures()),
            Row("In and out", 8, _traffic()),
            Row("How late", 8, _lateness()),
            Row("", 8, _waiting()),
            Row("Feeds", 8, _feeds()),
            Row("Partitions", 8, _partitions()),
            Row("Deployments", 8, _deployments()),
            Row("Machine", 8, _machine()),
            Row("What runs", 7, _versions()),
            Row("Of all jobs of the installation: gateway, messages and helpdesks", 8, _gateway()),
            Row("", 8, _notify()),
            Row("", 8, _writeback()),
        ],
    )


def _quantile(share: float, series: str, by: str = "") -> str:
    grouped = f"{by}, le" if by else "le"
    return f"histogram_quantile({share}, sum by ({grouped}) (rate({series}_bucket{{{WHICH}}}[{RATE}])))"


def _sent(types: str) -> str:
    return f'sum(rate(sla_effects_total{{type=~"{types}", {WHICH}}}[{RATE}]))'


def _figures() -> list[Json]:
    unsent = f"sla_unsent_effects_timestamp_seconds{{{WHICH}}}"
    return [
        stat(
            6,
            "Partitions live",
            "Owned by a worker and caught up with their backlog: their deadlines follow the clock.",
            "none",
            Query(f"sum(sla_partitions_owned{{{WHICH}}})", "owned"),
            Query(f"sum(sla_partitions_live{{{WHICH}}})", "live"),
        ),
        stat(
            6,
            "Events a second",
            "Valid events processed.",
            "short",
            Query(f"sum(rate(sla_events_total{{{WHICH}}}[{RATE}]))", "now"),
            decimals=1,
        ),
        stat(
            6,
            "Behind the input",
            "Records published but not committed as processed.",
            "none",
            Query(f"sum(sla_committed_lag_records{{{WHICH}}})", "now"),
        ),
        stat(
            6,
            "Effects unsent for",
            "How long the worker has been trying to write its oldest unsent effects.",
            "s",
            # As of the scrape: until the next one, time() would go on without them. They may have begun while it was under way.
            Query(f"clamp_min(max(timestamp({unsent}) - ({unsent} > 0)), 0) or vector(0)", "now"),
            steps=[(GREEN, None), (RED, 8)],
            decimals=1,
        ),
    ]


def _traffic() -> list[Json]:
    return [
        graph(
            8,
            "Events in",
            "Records processed per second, by result.",
            "short",
            Query(f"sum by (result) (rate(sla_events_total{{{WHICH}}}[{RATE}]))", "{{result}}"),
            stacked=True,
        ),
        graph(
            8,
            "Rejected, unmatched and lost",
            "Records rejected per interval, by reason, unmatched tickets, and records gone before they were read.",
            "short",
            Query(f"sum by (reason) (increase(sla_events_rejected_total{{{WHICH}}}[{RATE}]))", "{{reason}}"),
            Query(f"sum by (cause) (increase(sla_tickets_unmatched_total{{{WHICH}}}[{RATE}]))", "unmatched: {{cause}}"),
            Query(f"sum(increase(sla_input_lost_records_total{{{WHICH}}}[{RATE}]))", "lost"),
            bars=True,
            stacked=True,
            roof=5,
            runbook="SLAEventsRejected",
        ),
        graph(
            8,
            "Effects out",
            "Effects published per second: all of them, and those that require action.",
            "short",
            Query(_sent(".*"), "all"),
            Query(_sent("commitment.breached"), "breached"),
            Query(_sent("commitment.warned"), "warned"),
            Query(_sent("escalation.*"), "escalations"),
            Query(_sent(".*retracted"), "taken back"),
            runbook="SLAEffectsNotSent",
        ),
    ]


def _lateness() -> list[Json]:
    delay = "sla_breach_detection_delay_seconds"
    return [
        graph(
            8,
            "Detection delay",
            "Time from a breach to its detection, in clock mode wall. The dots name tickets.",
            "s",
            Query(_quantile(0.5, delay), "median"),
            Query(_quantile(0.99, delay), "99th percentile", exemplars=True),
            Query(f"max(sla_breach_detection_delay_objective_seconds{{{WHICH}}})", "objective"),
            dashed="objective",
            runbook="SLADetectionSlow",
        ),
        graph(
            8,
            "Event age",
            "Time from an event's receipt by Kafka until its results are durable: the oldest of each unit of work.",
            "s",
            Query(_quantile(0.5, "sla_event_age_seconds"), "median"),
            Query(_quantile(0.99, "sla_event_age_seconds"), "99th percentile"),
            runbook="SLAConsumerLagGrowing",
        ),
        graph(
            8,
            "Units of work",
            "Duration of a unit of work of a partition, with waits for the broker, 90th percentile.",
            "s",
            Query(_quantile(0.9, "sla_turn_seconds", "work"), "{{work}}"),
        ),
    ]


def _waiting() -> list[Json]:
    clock = f"on (job, instance) group_right () (0 * sla_last_event_timestamp_seconds{{{WHICH}}})"
    return [
        graph(
            8,
            "Committed lag",
            "Records published but not committed as processed, by partition.",
            "short",
            Query(f"sum by (partition) (sla_committed_lag_records{{{WHICH}}})", "{{partition}}"),
            roof=10,
            stacked=True,
            runbook="SLAConsumerLagGrowing",
        ),
        graph(
            8,
            "Time since the last event",
            "By partition: the time since its newest event, on the clock that deadlines follow. "
            "If all of them rise, the feed is silent.",
            "s",
            Query(
                f"max by (partition) (sla_clock_timestamp_seconds{{{WHICH}}} + {clock} - "
                f"sla_last_event_timestamp_seconds{{{WHICH}}})",
                "{{partition}}",
            ),
        ),
        graph(
            8,
            "Since deadlines were checked",
            "By worker. A rising line: the worker is stuck, or waits for the broker.",
            "s",
            Query(
                f"max by (instance) (time() - (sla_last_wakeup_timestamp_seconds{{{WHICH}}} > 0)) "
                f"or max by (instance) (0 * sla_last_wakeup_timestamp_seconds{{{WHICH}}})",
                "{{instance}}",
            ),
            roof=10,
            runbook="SLADetectorStalled",
        ),
    ]


def _feeds() -> list[Json]:
    clock = f"on (job, instance) group_right () (0 * sla_feed_complete_timestamp_seconds{{{WHICH}}})"
    return [
        graph(
            6,
            "Feeds behind the clock",
            "By source whose ticks have a state: how long ago the feed was complete. Above the limit, breaches of its tickets "
            "are provisional.",
            "s",
            Query(
                f"max by (source) (sla_clock_timestamp_seconds{{{WHICH}}} + {clock} - "
                f"sla_feed_complete_timestamp_seconds{{{WHICH}}})",
                "{{source}}",
            ),
            Query(f"max(sla_feed_lag_limit_seconds{{{WHICH}}})", "limit"),
            dashed="limit",
            runbook="SLAFeedLagging",
        ),
        table(
            12,
            "Feeds",
            "By source: the newest event, and up to when the feed is complete; whether the helpdesk has newer events, or does "
            "not answer.",
            Column("newest event", f"max by (source) (sla_feed_received_timestamp_seconds{{{WHICH}}}) * 1000", "dateTimeAsIso"),
            Column(
                "complete up to", f"min by (source) (sla_feed_complete_timestamp_seconds{{{WHICH}}}) * 1000", "dateTimeAsIso"
            ),
            Column("lagging", f'max by (source) (sla_feed_state{{feed_state="lagging", {WHICH}}})', "none"),
            Column("unreachable", f'max by (source) (sla_feed_state{{feed_state="unreachable", {WHICH}}})', "none"),
            keys={"source": 140},
            sort=("complete up to", False),
            links={"source": ("Runbook", "${docs}/runbooks/SLAFeedUnreachable.md")},
        ),
        graph(
            6,
            "Provisional breaches",
            "Tickets that wait for their feed, and breaches per interval that were provisional when they were published.",
            "short",
            Query(f"sum by (source) (sla_feed_waiting_tickets{{{WHICH}}})", "waiting: {{source}}"),
            Query(f"sum(increase(sla_provisional_breaches_total{{{WHICH}}}[{RATE}]))", "breaches"),
            Query(f"sum(increase(sla_provisional_escalations_total{{{WHICH}}}[{RATE}]))", "levels"),
            roof=5,
            runbook="SLAFeedSilent",
        ),
    ]


def _partitions() -> list[Json]:
    spent = f"sum by (instance) (rate(sla_rebalance_seconds_sum{{{WHICH}}}[{RATE}]))"
    return [
        graph(
            8,
            "Partitions",
            "Owned by a worker, and live: caught up, so that deadlines follow the clock.",
            "short",
            Query(f"sum(sla_partitions_owned{{{WHICH}}})", "owned"),
            Query(f"sum(sla_partitions_live{{{WHICH}}})", "live"),
            runbook="SLACatchingUp",
        ),
        graph(
            8,
            "Share of time in rebalances",
            "By worker, with the restoration of tickets. No events are processed meanwhile.",
            "percentunit",
            Query(spent, "{{instance}}"),
            roof=0.1,
        ),
        graph(
            8,
            "Tickets",
            "Tickets stored, and tickets with a pending timer.",
            "short",
            Query(f"sum(sla_tickets{{{WHICH}}})", "kept"),
            Query(f"sum(sla_tickets_waiting{{{WHICH}}})", "something falls due"),
        ),
    ]


def _deployments() -> list[Json]:
    return [
        table(
            8,
            "Deployments",
            "The newest deployment that each worker knows, the one that is applied to all its tickets, and whether its "
            "policy files differ from the newest one.",
            Column("known", f"max by (instance) (sla_deployment_newest{{{WHICH}}})", "none"),
            Column("applied to all", f"min by (instance) (sla_deployment_swept{{{WHICH}}})", "none"),
            Column("files differ", f"max by (instance) (sla_policy_files_differ{{{WHICH}}})", "none"),
            keys={"instance": 180},
            sort=("known", True),
            links={"instance": ("Runbook", "${docs}/runbooks/SLAPoliciesDiffer.md")},
        ),
        graph(
            8,
            "Sweep",
            "Tickets that are still to be woken after a deployment, by partition.",
            "short",
            Query(f"sum by (partition) (sla_sweep_remaining_tickets{{{WHICH}}})", "{{partition}}"),
            roof=10,
            stacked=True,
            runbook="SLASweepSlow",
        ),
        graph(
            8,
            "Left undone by deployments",
            "Per interval: new metrics that a ticket has only from its next cycle on, and tickets that were rejudged only from "
            "a later instant, because their older events are no longer kept.",
            "short",
            Query(f"sum(increase(sla_deployment_unbuilt_rows_total{{{WHICH}}}[{RATE}]))", "metrics"),
            Query(f"sum(increase(sla_deployment_cut_tickets_total{{{WHICH}}}[{RATE}]))", "tickets"),
            bars=True,
            stacked=True,
            roof=5,
        ),
    ]


def _machine() -> list[Json]:
    return [
        graph(
            6,
            "CPU",
            "Share of a core, by worker.",
            "percentunit",
            Query(f"sum by (instance) (rate(process_cpu_seconds_total{{{WHICH}}}[{RATE}]))", "{{instance}}"),
        ),
        graph(
            6,
            "Memory",
            "Resident memory, by worker. It contains all open tickets.",
            "bytes",
            Query(f"max by (instance) (process_resident_memory_bytes{{{WHICH}}})", "{{instance}}"),
        ),
        graph(
            6,
            "Garbage collections",
            "Per second, by generation. The oldest generation scans every object.",
            "short",
            Query(f"sum by (generation) (rate(python_gc_collections_total{{{WHICH}}}[{RATE}]))", "generation {{generation}}"),
        ),
        graph(
            6,
            "Gathering the gauges",
            "Duration of a scrape, by collector. The event loop may wait for it.",
            "s",
            Query(f"max by (collector) (sla_collector_duration_seconds{{{WHICH}}})", "{{collector}}"),
            runbook="SLAMetricsIncomplete",
        ),
    ]


def _versions() -> list[Json]:
    program = f"sla_detector_build_info{{{WHICH}}}"
    return [
        table(
            12,
            "Policies",
            "What each worker judges by, and since when. More than one fingerprint: workers know different deployments.",
            Column(
                "since",
                f"max by (instance, fingerprint) (sla_policies_loaded_timestamp_seconds{{{WHICH}}}) * 1000",
                "dateTimeAsIso",
            ),
            keys={"instance": 180, "fingerprint": 150},
            sort=("since", True),
            links={"fingerprint": ("Runbook", "${docs}/runbooks/SLAPoliciesDiffer.md")},
        ),
        table(
            12,
            "Versions of policies and program",
            "The newest version of each policy, and of breachwatch.",
            Column(
                "workers",
                f"count by (policy, version) (sla_policy_info{{{WHICH}}}) or "
                f'label_replace(count by (version) ({program}), "policy", "(breachwatch itself)", "", "")',
                "none",
            ),
            keys={"policy": 220, "version": 120},
            sort=("policy", False),
        ),
    ]


def _gateway() -> list[Json]:
    arrived, newest = "sla_gateway_last_received_timestamp_seconds", "sla_gateway_newest_event_timestamp_seconds"
    return [
        graph(
            8,
            "Gateway: requests",
            "Requests per interval, by feed and outcome.",
            "short",
            Query(f"sum by (feed, outcome) (increase(sla_gateway_requests_total{{{SERVED}}}[{RATE}]))", "{{feed}} {{outcome}}"),
            bars=True,
            stacked=True,
            runbook="SLAGatewayUnavailable",
        ),
        graph(
            8,
            "Gateway: rejected payloads, unknown addresses",
            "Payloads per interval that the mapping of a feed does not cover, and requests to an address that is not one of a "
            "feed.",
            "short",
            Query(
                f"sum by (feed, reason) (increase(sla_gateway_rejected_payloads_total{{{SERVED}}}[{RATE}]))",
                "{{feed}} {{reason}}",
            ),
            Query(f"sum(increase(sla_gateway_unknown_requests_total{{{SERVED}}}[{RATE}]))", "unknown address"),
            bars=True,
            stacked=True,
            roof=5,
            runbook="SLAGatewayPayloadsRejected",
        ),
        table(
            8,
            "Gateway: feeds",
            "By feed: when its last payload arrived, and its newest event; 1970: none since the start.",
            Column("received", f"1000 * max by (feed) ({arrived}{{{SERVED}}})", "dateTimeAsIso"),
            Column("newest event", f"1000 * max by (feed) ({newest}{{{SERVED}}})", "dateTimeAsIso"),
            keys={"feed": 140},
            sort=("received", False),
        ),
    ]


def _notify() -> list[Json]:
    given_up = "sla_notify_given_up_total"
    return [
        graph(
            8,
            "Messages sent",
            "Messages that destinations accepted per interval, by destination.",
            "short",
            Query(f"sum by (destination) (increase(sla_notify_messages_total{{{SERVED}}}[{RATE}]))", "{{destination}}"),
            bars=True,
            stacked=True,
        ),
        graph(
            8,
            "Messages not sent",
            "Attempts that failed, and messages that were given up, per interval.",
            "short",
            Query(f"sum by (destination) (increase(sla_notify_failures_total{{{SERVED}}}[{RATE}]))", "failed: {{destination}}"),
            Query(f"sum by (destination) (increase({given_up}{{{SERVED}}}[{RATE}]))", "given up: {{destination}}"),
            bars=True,
            stacked=True,
            roof=5,
            runbook="SLANotifyNotDelivering",
        ),
        graph(
            8,
            "Messages waiting",
            "Messages that wait for a destination, also in quiet hours, and effects that have not been read for it yet.",
            "short",
            Query(f"sum by (destination) (sla_notify_waiting_messages{{{SERVED}}})", "waiting: {{destination}}"),
            Query(f"sum by (destination) (sla_notify_lag_records{{{SERVED}}})", "not read: {{destination}}"),
            roof=5,
        ),
    ]


def _writeback() -> list[Json]:
    return [
        graph(
            12,
            "Written into helpdesks",
            "Attempts per interval to write a ticket, by helpdesk and outcome.",
            "short",
            Query(
                f"sum by (desk, outcome) (increase(sla_writeback_tickets_total{{{SERVED}}}[{RATE}]))", "{{desk}} {{outcome}}"
            ),
            bars=True,
            stacked=True,
            runbook="SLAWritebackRefused",
        ),
        graph(
            12,
            "Waiting to be written",
            "Tickets that wait to be written into a helpdesk.",
            "short",
            Query(f"sum by (desk) (sla_writeback_waiting_tickets{{{SERVED}}})", "{{desk}}"),
            roof=5,
            runbook="SLAWritebackBehind",
        ),
    ]
