"""What ``breachwatch erase`` reports: when the data of a ticket has left each topic."""

from __future__ import annotations

import pytest

from stream.cli.erase_view import leaving
from stream.runtime.kafka.topics import Topics

TOPICS = Topics("desk", "eu.")
DAY = 86_400_000
CHANGELOG = {"max.compaction.lag.ms": str(DAY), "delete.retention.ms": str(7 * DAY)}


def lines(retention: int | None = 30 * DAY * 1_000, **settings: dict[str, str]) -> list[str]:
    """``settings``: by the part of the topic's name that follows the prefix, with ``_`` for ``-``."""
    found = {f"eu.{name.replace('_', '-')}": values for name, values in settings.items()}
    return list(leaving(TOPICS, found, retention))


def kept(retention: int, segment: int) -> dict[str, str]:
    return {"retention.ms": str(retention), "segment.ms": str(segment)}


def test_each_topic_has_a_line_with_its_longest_time() -> None:
    assert lines(
        desk_tickets_changelog=CHANGELOG,
        ticket_events=kept(7 * DAY, 7 * DAY),
        sla_breaches=kept(-1, 7 * DAY),
        sla_escalations=kept(400 * DAY, DAY),
        ticket_events_rejected=kept(7 * DAY, DAY),
        feed_rejected=kept(36 * 3_600_000, 3_600_000),
        writeback_state={"cleanup.policy": "compact"},
    ) == [
        "state and pages: at once",
        "eu.desk-tickets-changelog: at most 1 day after that, then the next record there and a run of the log cleaner",
        "    its name and that it was erased: for 30 days (setting retention), and 7 days more as a tombstone",
        "eu.ticket-events: its events, at most 14 days after they were published",
        "eu.sla-breaches: effects that were published, which nobody can edit, for ever",
        "eu.sla-escalations: effects that were published, which nobody can edit, at most 401 days after they were published",
        "eu.ticket-events-rejected: its rejected events, at most 8 days after they were published",
        "eu.feed-rejected: payloads that were not mapped, at most 37 hours after they were published",
        "eu.writeback-state: its deadlines, level and team, until the setting keep of writeback after its last effect",
    ]


@pytest.mark.parametrize("lag", [{}, {"max.compaction.lag.ms": str(2**63 - 1)}, {"max.compaction.lag.ms": "-1"}])
def test_a_changelog_without_a_longest_lag_has_no_latest_time(lag: dict[str, str]) -> None:
    (_, line, _) = lines(desk_tickets_changelog={**CHANGELOG, "max.compaction.lag.ms": "-1", **lag})

    assert "no longest time is set (`breachwatch topics check`)" in line


def test_a_name_that_is_kept_for_ever_is_reported() -> None:
    (_, _, name) = lines(None, desk_tickets_changelog=CHANGELOG)

    assert name.endswith("its name and that it was erased: for ever")


def test_of_topics_that_are_not_there_or_may_not_be_seen_nothing_is_reported() -> None:
    assert lines() == ["state and pages: at once"]
