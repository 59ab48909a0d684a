"""Deployments before they are appended: from when on they hold, what gives way, and what changes."""

from __future__ import annotations

from stream.deployments.facts import Code
from stream.deployments.log import Log
from stream.deployments.proposal import Author, as_of, deploy, rejudge, undo
from stream.deployments.record import DeploymentKind
from tests.unit.deployments.sets import HOUR, START, append, target_of, with_target

LEAD = Author("desk-lead", "a reason")


def log_of(*targets: str) -> Log:
    """Deployments an hour apart, from ``START`` on."""
    log = Log()
    for number, target in enumerate(targets):
        append(log, number, START + number * HOUR, target)
    return log


def test_the_first_deployment_has_nothing_to_differ_from() -> None:
    proposal = deploy(Log(), with_target("4h"), START, LEAD)

    assert (proposal.record.after, proposal.record.kind, proposal.difference) == (-1, DeploymentKind.DEPLOY, None)
    assert not proposal.changes_nothing


def test_it_holds_from_the_given_instant_on_and_records_who_and_why() -> None:
    proposal = deploy(log_of("4h", "2h"), with_target("1h"), START + 9 * HOUR, LEAD)

    record = proposal.record
    assert (record.after, record.at, record.by, record.note) == (1, START + 9 * HOUR, "desk-lead", "a reason")
    assert proposal.replaced == ()
    assert proposal.difference is not None
    assert Code.TARGET_SHORTENED in {problem.code for problem in proposal.difference.problems}


def test_it_never_holds_from_before_the_last_deployment() -> None:
    proposal = deploy(log_of("4h", "2h"), with_target("1h"), START, LEAD)

    assert proposal.record.at == START + HOUR
    assert [entry.number for entry in proposal.replaced] == [1]
    assert [deployment.number for deployment in proposal.deployments.timeline.deployments] == [0, 2]


def test_the_instant_in_the_record_of_the_first_deployment_does_not_count() -> None:
    assert deploy(log_of("4h"), with_target("2h"), START - HOUR, LEAD).record.at == START - HOUR


def test_the_policies_that_are_in_force_change_nothing() -> None:
    assert deploy(log_of("4h", "2h"), with_target("2h"), START + 9 * HOUR, LEAD).changes_nothing
    assert not deploy(log_of("4h", "2h"), with_target("4h"), START + 9 * HOUR, LEAD).changes_nothing


def test_judging_anew_takes_the_place_of_what_came_after() -> None:
    proposal = rejudge(log_of("8h", "4h", "2h"), with_target("2h"), START + HOUR // 2, LEAD)

    assert [entry.number for entry in proposal.replaced] == [1, 2]
    assert not proposal.changes_nothing
    assert proposal.difference is not None
    assert [fact.before for fact in proposal.difference.facts if fact.part is not None] != []


def test_judging_anew_by_what_is_in_force_from_an_earlier_instant_on_changes_nothing() -> None:
    log = log_of("8h", "4h")

    assert rejudge(log, with_target("4h"), START + HOUR, LEAD).changes_nothing
    assert rejudge(log, with_target("4h"), START + 2 * HOUR, LEAD).changes_nothing
    assert not rejudge(log, with_target("4h"), START + HOUR - 1, LEAD).changes_nothing


def test_an_undo_puts_back_what_was_before_from_the_same_instant_on() -> None:
    log = log_of("8h", "4m")

    proposal = undo(log, LEAD)

    assert (proposal.record.kind, proposal.record.at, target_of(proposal.policies)) == (DeploymentKind.UNDO, START + HOUR, "8h")
    assert [entry.number for entry in proposal.replaced] == [1]
    assert proposal.difference is not None
    assert proposal.difference.facts
    assert proposal.difference.problems == ()
    assert not proposal.changes_nothing


def test_on_a_recorded_feed_policies_hold_from_its_end_on() -> None:
    log = log_of("8h", "4h")

    deployments, at = as_of(log, deploy(log, with_target("2h"), START + 9 * HOUR, LEAD), START + 5 * HOUR)

    assert at == deployments.timeline.last.at == START + 5 * HOUR


def test_on_a_feed_that_ends_before_the_last_deployment_they_hold_from_that_on() -> None:
    log = log_of("8h", "4h")

    deployments, at = as_of(log, deploy(log, with_target("2h"), START + 9 * HOUR, LEAD), START)

    assert at == deployments.timeline.last.at == START + HOUR


def test_an_undo_keeps_its_instant_on_a_recorded_feed() -> None:
    log = log_of("8h", "4h")

    deployments, at = as_of(log, undo(log, LEAD), START + 5 * HOUR)

    assert (at, deployments.timeline.last.at) == (START + 5 * HOUR, START + HOUR)
