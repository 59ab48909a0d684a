"""Every metric of ``breachwatch notify`` as data, as ``catalogue.py`` has those of a worker."""

from __future__ import annotations

from typing import Final

from stream.observe.metrics.families import Spec

SENT: Final = Spec(
    "sla_notify_messages_total",
    "counter",
    ("destination", "status"),
    "Messages that a destination has accepted. status: news, confirmation (of something provisional), correction (of an "
    "earlier message), withdrawal (an earlier message is not true). Those of a summary count one by one.",
)
FAILED: Final = Spec(
    "sla_notify_failures_total",
    "counter",
    ("destination",),
    "Attempts that a destination did not accept. The messages wait for the next attempt.",
)
GIVEN_UP: Final = Spec(
    "sla_notify_given_up_total",
    "counter",
    ("destination",),
    "Messages that were given up, because the destination refused them or did not accept them for too long.",
)
SKIPPED: Final = Spec(
    "sla_notify_skipped_total",
    "counter",
    ("destination", "reason"),
    "Effects that concern a destination and were not sent. reason: sent_before, not_sent (the effect that it retracts "
    "was never sent), restated (it follows in another form), unchanged (the message would be the same), "
    "history (published too long ago).",
)
WAITING: Final = Spec(
    "sla_notify_waiting_messages",
    "gauge",
    ("destination",),
    "Messages that wait for a destination, in quiet hours too. At 1000 it reads no further.",
)
OLDEST: Final = Spec(
    "sla_notify_oldest_waiting_timestamp_seconds",
    "gauge",
    ("destination",),
    "Since when the oldest message of a destination waits; 0: none does.",
)
FAILING: Final = Spec(
    "sla_notify_failing_since_timestamp_seconds",
    "gauge",
    ("destination",),
    "Since when every attempt of a destination has failed; 0: the last one was accepted.",
)
LAG: Final = Spec(
    "sla_notify_lag_records",
    "gauge",
    ("destination",),
    "Effects on the topics that were not read for a destination yet, as of the last fetch.",
)
UNHELD: Final = Spec(
    "sla_notify_unheld_roles_total",
    "counter",
    ("role",),
    "Effects that name a role whose holders a route asks for, and which nobody holds.",
)
UNREADABLE: Final = Spec(
    "sla_notify_unreadable_total",
    "counter",
    (),
    "Records on the topics of effects that this release cannot read. They are left out, once for each destination.",
)
REMEMBERED: Final = Spec(
    "sla_notify_remembered_messages",
    "gauge",
    (),
    "Messages that are remembered, so that they are not repeated and can be taken back; at most 200,000.",
)

NOTIFY_CATALOGUE: Final = (
    SENT,
    FAILED,
    GIVEN_UP,
    SKIPPED,
    WAITING,
    OLDEST,
    FAILING,
    LAG,
    UNHELD,
    UNREADABLE,
    REMEMBERED,
)
