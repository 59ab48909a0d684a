"""The text of a message, and what an effect is to a destination."""

from __future__ import annotations

from typing import Any

import pytest

from stream.language.zones import read_tzinfo
from stream.notify.decision import Sent, Skipped, decide, may_concern, predecessor
from stream.notify.message import LISTED, Status, Writer, summary
from stream.sla.effects import Effect, Kind, ProvisionalReason, Reason
from stream.wire.instants import parse_instant
from tests.effects import effect_of

AT = parse_instant("2026-03-09T04:00:00Z")
MINUTE = 60_000_000
WRITER = Writer(None, "https://desk.example.com/t/{number}")


def breach(**parts: Any) -> Effect:
    usual: dict[str, Any] = {
        "id": "a" * 24,
        "ticket": "acme-desk/47 11",
        "at": AT,
        "due_at": AT,
        "commitment": "first_response",
        "timezone": "Asia/Kolkata",
        "fields": {"priority": "p2", "customer": "acme", "team": "first-line", "assignee": "a person"},
    }
    return effect_of(Kind.BREACHED, **(usual | parts))


def test_a_message_has_the_ticket_what_by_when_and_a_link() -> None:
    message = WRITER.message(breach(), Status.NEWS)

    assert message.id == "a" * 24
    assert message.title == "[p2] acme-desk/47 11: first response breached"
    assert message.body.split("\n") == [
        "It was due Mon 9 Mar 2026 09:30 IST.",
        "Ticket: acme-desk/47 11",
        "Priority: p2",
        "Customer: acme",
        "Team: first-line",
        "Policy: shop",
        "https://desk.example.com/t/47%2011",
    ]


def test_nothing_of_other_fields_is_written() -> None:
    assert "a person" not in WRITER.message(breach(), Status.NEWS).body


def test_the_zone_of_the_rules_is_that_of_all_times() -> None:
    assert "04:00 UTC" in Writer(read_tzinfo("UTC"), "").message(breach(), Status.NEWS).body


def test_a_zone_that_is_not_known_is_utc() -> None:
    assert "04:00 UTC" in WRITER.message(breach(timezone="Mars/Base"), Status.NEWS).body


def test_a_warning_states_how_much_time_is_left() -> None:
    warned = effect_of(Kind.WARNED, at=AT, due_at=AT + 80 * MINUTE, level="75%", commitment="resolution", policy="")

    message = WRITER.message(warned, Status.NEWS)

    assert message.title == "desk/1: resolution is due soon (75%)"
    assert "in 1 h 20 min." in message.body


def test_a_late_fulfilment_states_how_late() -> None:
    met = effect_of(Kind.MET_LATE, commitment="resolution", elapsed=90 * MINUTE, target=60 * MINUTE)

    assert "fulfilled 30 min too late" in WRITER.message(met, Status.NEWS).body


def test_an_escalation_states_who_is_to_be_informed_and_who_takes_over() -> None:
    raised = effect_of(
        Kind.RAISED, ladder="late", level="lead", notify=("team-lead",), owner="support-manager", assign_to="tier 2"
    )

    message = WRITER.message(raised, Status.NEWS)

    assert message.title == "desk/1: escalation late raised, level lead"
    assert "To inform: team-lead." in message.body
    assert "Responsible: support-manager." in message.body
    assert "the team tier 2." in message.body


def test_a_message_shows_that_an_effect_is_provisional_or_was_detected_late() -> None:
    message = WRITER.message(breach(provisional=True, detected_at=AT + 61 * MINUTE), Status.NEWS)

    assert message.title == "[p2] acme-desk/47 11: provisional: first response breached"
    assert "Provisional: events of this ticket may be missing." in message.body
    assert "Detected 1 h 1 min after it happened." in message.body


@pytest.mark.parametrize("reason", ProvisionalReason)
def test_a_provisional_message_gives_the_reason(reason: ProvisionalReason) -> None:
    assert "may be missing" in WRITER.message(breach(provisional=True, provisional_reason=reason), Status.NEWS).body


@pytest.mark.parametrize("kind", Kind)
def test_every_type_of_effect_has_a_message(kind: Kind) -> None:
    for status in Status:
        message = WRITER.message(effect_of(kind, retracts_kind=Kind.BREACHED), status)
        assert message.title.startswith("desk/1: ")
        assert message.body


def test_a_ticket_cannot_begin_a_line_or_make_a_message_long() -> None:
    message = WRITER.message(breach(ticket="x\ny" * 1_000, fields={"customer": "c" * 9_000}), Status.NEWS)

    assert "\n" not in message.title
    assert len(message.title) < 400
    assert len(message.body.replace(message.url, "")) < 1_000


@pytest.mark.parametrize(
    ("name", "active"),
    [
        ("<!channel>", "!channel"),
        ("!here>", "!here"),
        ("<@U6TTX1F9R>", "@U6"),
        ("<@&4711>", "@&"),
        ("@everyone, please", "@everyone"),
        ("<https://evil.example|Your desk>", "https://evil"),
        ("<b>", "<b"),
    ],
)
def test_a_name_of_a_ticket_is_neither_a_mention_nor_a_link_in_a_chat(name: str, active: str) -> None:
    effect = breach(ticket=f"desk/{name}", fields={"customer": name, "team": [name], "priority": name})
    message = WRITER.message(effect, Status.NEWS)

    assert active in name
    assert active not in message.title + message.body
    assert name.replace(" ", "") in (message.title + message.body).replace("\u200b", "").replace(" ", "")


def test_an_address_of_mail_in_a_name_stays_as_it_is() -> None:
    assert (
        "Customer: Ada <\u200bada@acme.example>"
        in WRITER.message(breach(fields={"customer": "Ada <ada@acme.example>"}), Status.NEWS).body
    )


def test_a_summary_lists_so_many_and_counts_the_rest() -> None:
    messages = [WRITER.message(breach(id=f"{number:024x}"), Status.NEWS) for number in range(300)]

    title, body = summary(messages)

    assert title == "300 SLA messages"
    assert len(body.split("\n")) == LISTED + 2
    assert f"and {300 - LISTED} more" in body
    assert len(body) < 10_000


def decided(effect: Effect, *, routed: bool = True, **sent: Sent) -> Status | Skipped:
    return decide(effect, {name.replace("_", "."): each for name, each in sent.items()}.get, WRITER.digest, routed=routed)


def test_news_is_sent_once_and_only_by_a_route() -> None:
    assert decided(breach(id="a")) is Status.NEWS
    assert decided(breach(id="a"), routed=False) is Skipped.NO_ROUTE
    assert decided(breach(id="a"), a=Sent("")) is Skipped.SENT_BEFORE


def test_a_retraction_is_sent_only_if_the_fact_was_and_still_stands() -> None:
    back = effect_of(
        Kind.BREACH_RETRACTED, id="b", retracts="a", retracts_kind=Kind.BREACHED, reason=Reason.CORRECTED, late=True
    )

    assert decided(back, routed=False) is Skipped.NOT_SENT
    assert decided(back, routed=False, a=Sent("")) is Status.WITHDRAWAL
    assert decided(back, routed=False, a=Sent("", withdrawn=True)) is Skipped.NOT_SENT
    assert decided(back, routed=False, a=Sent(""), b=Sent("")) is Skipped.SENT_BEFORE


def test_a_restatement_is_one_correction_and_only_if_something_that_is_written_changes() -> None:
    back = effect_of(Kind.BREACH_RETRACTED, id="b", retracts="a", reason=Reason.RESTATED, late=True)
    same, moved = breach(id="a.1", late=True), breach(id="a.1", late=True, due_at=AT - MINUTE)
    before = Sent(WRITER.digest(breach(id="a")))

    assert decided(back, a=before) is Skipped.RESTATED
    assert decided(same, routed=False, a=before) is Skipped.UNCHANGED
    assert decided(moved, routed=False, a=before) is Status.CORRECTION
    assert decided(moved, routed=False) is Skipped.NO_ROUTE


def test_what_was_sent_as_provisional_is_confirmed_by_one_message() -> None:
    doubtful, sure = breach(id="a", provisional=True), breach(id="a.1")
    before = Sent(WRITER.digest(doubtful), provisional=True)

    assert decided(sure, routed=False, a=before) is Status.CONFIRMATION
    assert decided(breach(id="a.1", provisional=True), routed=False, a=before) is Skipped.UNCHANGED
    assert WRITER.message(sure, Status.CONFIRMATION).title == "[p2] acme-desk/47 11: confirmed: first response breached"


def test_a_fact_that_is_true_again_after_it_was_taken_back_is_a_correction() -> None:
    again = breach(id="a.1", late=True)

    assert decided(again, routed=False, a=Sent(WRITER.digest(again), withdrawn=True)) is Status.CORRECTION


@pytest.mark.parametrize(("effect_id", "before"), [("a", ""), ("a.1", "a"), ("a.2", "a.1"), ("a.10", "a.9"), ("a.x", "")])
def test_the_id_before_a_revision_is_that_of_the_one_below(effect_id: str, before: str) -> None:
    assert predecessor(effect_id) == before


def test_a_retraction_may_concern_every_destination() -> None:
    assert may_concern("commitment.breach_retracted", frozenset())
    assert may_concern("commitment.breached", frozenset({"commitment.breached"}))
    assert not may_concern("commitment.started", frozenset({"commitment.breached"}))
