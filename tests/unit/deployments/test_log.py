"""The log of deployments: which records are valid, the timeline that follows, and what an undo goes back to."""

from __future__ import annotations

import zlib

import msgspec
import pytest

from stream.deployments import snapshot
from stream.deployments.log import Added, Log, NothingToUndoError, Reason, Void
from stream.deployments.record import FORM, DeploymentKind, encode_record, new_record
from tests.unit.deployments.sets import HOUR, START, append, target_of, with_target, written


def test_the_first_record_follows_none_and_holds_since_ever() -> None:
    log = Log()

    added = log.add(0, written(-1, START, "4h"), START)

    assert isinstance(added, Added)
    assert added.deployments is log.deployments
    assert target_of(added.deployments.timeline.in_force(0).policies) == "4h"
    assert (log.next_after, added.entry.appended, log.entries) == (0, START, {0: added.entry})


def test_a_later_record_holds_from_its_instant_on() -> None:
    log = Log()
    append(log, 0, START, "4h")
    append(log, 5, START + HOUR, "2h")

    assert log.deployments is not None
    timeline = log.deployments.timeline
    assert target_of(timeline.in_force(START + HOUR - 1).policies) == "4h"
    assert target_of(timeline.in_force(START + HOUR).policies) == "2h"
    assert [deployment.number for deployment in timeline.deployments] == [0, 5]


def test_of_two_records_that_follow_the_same_one_the_first_is_valid() -> None:
    log = Log()
    append(log, 0, START, "4h")
    winner, loser = written(0, START + HOUR, "2h"), written(0, START + HOUR, "1h")

    assert isinstance(log.add(1, winner, START), Added)
    void = log.add(2, loser, START)

    assert isinstance(void, Void)
    assert (void.offset, void.reason) == (2, Reason.OVERTAKEN)
    assert "follows 0, and the last one was deployment 1" in void.text
    assert log.next_after == 1
    append(log, 3, START + 2 * HOUR, "1h")


def test_a_first_record_that_follows_another_is_void() -> None:
    void = Log().add(0, written(3, START, "4h"), START)

    assert isinstance(void, Void)
    assert "follows 3, and the last one was nothing" in void.text


@pytest.mark.parametrize("value", [None, b"", b"\x01not a record", b"{}"])
def test_a_record_that_cannot_be_read_is_void_and_the_next_one_follows_the_last_valid_one(value: bytes | None) -> None:
    log = Log()
    append(log, 0, START, "4h")

    void = log.add(1, value, START)

    assert isinstance(void, Void)
    assert void.reason is Reason.UNREADABLE
    assert void.text.startswith("record 1 of the log of deployments: ")
    append(log, 2, START + HOUR, "2h")


def test_a_record_whose_set_is_damaged_is_void() -> None:
    given = new_record(-1, START, DeploymentKind.DEPLOY, with_target("4h"))

    void = Log().add(0, encode_record(msgspec.structs.replace(given, set=given.set[:-4])), START)

    assert isinstance(void, Void)
    assert void.reason is Reason.UNREADABLE


def test_a_record_whose_set_cannot_follow_the_one_before_is_void() -> None:
    log = Log()
    append(log, 0, START, "4h")
    given = new_record(0, START + HOUR, DeploymentKind.DEPLOY, with_target("2h"))
    odd = zlib.decompress(given.set[1:]).replace(b'"name":"resolution"', b'"name":7', 1)

    void = log.add(1, encode_record(msgspec.structs.replace(given, set=given.set[:1] + zlib.compress(odd))), START)

    assert isinstance(void, Void)
    assert void.reason is Reason.UNREADABLE
    append(log, 2, START + HOUR, "2h")


def test_a_record_of_a_newer_form_has_a_reason_of_its_own() -> None:
    void = Log().add(0, bytes([FORM + 1]) + written(-1, START, "4h")[1:], START)

    assert isinstance(void, Void)
    assert void.reason is Reason.NEWER_FORM


def test_so_has_a_record_whose_set_has_a_newer_form() -> None:
    given = new_record(-1, START, DeploymentKind.DEPLOY, with_target("4h"))
    newer = bytes([snapshot.FORM + 1]) + given.set[1:]

    void = Log().add(0, encode_record(msgspec.structs.replace(given, set=newer)), START)

    assert isinstance(void, Void)
    assert void.reason is Reason.NEWER_FORM


def test_a_record_that_was_overtaken_is_void_whatever_its_set_is() -> None:
    log = Log()
    append(log, 0, START, "4h")
    given = new_record(-1, START, DeploymentKind.DEPLOY, with_target("4h"))

    void = log.add(1, encode_record(msgspec.structs.replace(given, set=b"\xff")), START)

    assert isinstance(void, Void)
    assert void.reason is Reason.OVERTAKEN


def test_records_are_given_in_order() -> None:
    log = Log()
    append(log, 4, START, "4h")

    with pytest.raises(ValueError, match="record 4 does not follow record 4"):
        log.add(4, written(4, START, "2h"), START)


def test_a_deployment_from_an_earlier_instant_takes_the_place_of_those_after_it() -> None:
    log = Log()
    append(log, 0, START, "4h")
    append(log, 1, START + HOUR, "4m")
    append(log, 2, START + HOUR, "4h", DeploymentKind.UNDO)

    assert log.deployments is not None
    assert [deployment.number for deployment in log.deployments.timeline.deployments] == [0, 2]
    assert list(log.entries) == [0, 1, 2]


def test_the_set_as_deployed_does_not_have_what_the_union_adds() -> None:
    log = Log()
    append(log, 0, START, "4h")
    append(log, 1, START + HOUR, "2h")

    assert target_of(log.deployed(0)) == "4h"
    assert len(log.deployed(1).policies) == 1


class TestUndo:
    """``undone``: what an undo undoes, and what takes its place."""

    def numbers(self, log: Log) -> tuple[int, int]:
        undone, before = log.undone()
        return undone.number, before.number

    def undo(self, log: Log, offset: int) -> None:
        undone, before = log.undone()
        assert log.deployments is not None
        record_at = log.deployments.known[undone.number].at
        append(log, offset, record_at, target_of(log.deployed(before.number)), DeploymentKind.UNDO)

    def test_it_goes_back_to_the_deployment_before(self) -> None:
        log = Log()
        append(log, 0, START, "4h")
        append(log, 1, START + HOUR, "4m")
        assert self.numbers(log) == (1, 0)

    def test_twice_goes_back_two_deployments(self) -> None:
        log = Log()
        append(log, 0, START, "8h")
        append(log, 1, START + HOUR, "4h")
        append(log, 2, START + 2 * HOUR, "4m")
        self.undo(log, 3)
        assert self.numbers(log) == (1, 0)
        self.undo(log, 4)
        assert log.deployments is not None
        timeline = log.deployments.timeline
        assert [target_of(deployment.policies) for deployment in timeline.deployments] == ["8h", "8h"]
        with pytest.raises(NothingToUndoError, match="deployment 0 is the first"):
            log.undone()

    def test_a_deployment_after_an_undo_is_undone_like_any_other(self) -> None:
        log = Log()
        append(log, 0, START, "8h")
        append(log, 1, START + HOUR, "4h")
        self.undo(log, 2)
        append(log, 3, START + 2 * HOUR, "4m")
        assert self.numbers(log) == (3, 2)
        self.undo(log, 4)
        with pytest.raises(NothingToUndoError):
            log.undone()

    def test_of_two_deployments_at_one_instant_the_second_is_undone(self) -> None:
        log = Log()
        append(log, 0, START, "8h")
        append(log, 1, START + HOUR, "4h")
        append(log, 2, START + HOUR, "4m")
        assert self.numbers(log) == (2, 1)
        self.undo(log, 3)
        assert self.numbers(log) == (1, 0)

    def test_a_rejudgement_that_took_the_place_of_others_cannot_be_undone_by_one_record(self) -> None:
        log = Log()
        append(log, 0, START, "8h")
        append(log, 1, START + 2 * HOUR, "4h")
        append(log, 2, START + HOUR, "4m", DeploymentKind.REJUDGE)
        with pytest.raises(NothingToUndoError, match=r"deployment 2 took the place of deployment 1, .*--rejudge-from"):
            log.undone()

    def test_before_the_first_deployment_there_is_nothing_to_undo(self) -> None:
        with pytest.raises(NothingToUndoError, match="nothing was ever deployed"):
            Log().undone()


def test_a_record_whose_fingerprint_is_not_that_of_its_set_is_void() -> None:
    record = msgspec.structs.replace(
        new_record(-1, START, DeploymentKind.DEPLOY, with_target("4h")), fingerprint="0123456789ab"
    )

    void = Log().add(0, encode_record(record), START)

    assert isinstance(void, Void)
    assert (void.reason, void.text) == (
        Reason.UNREADABLE,
        "record 0 of the log of deployments: its set is not the one of the fingerprint 0123456789ab",
    )
