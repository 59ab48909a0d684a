"""The checker of the chaos runs, where policies were deployed: faults of workers that missed or foresaw one."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import TYPE_CHECKING

import msgspec
import pytest
import yaml

from stream.deployments.record import DeploymentKind
from stream.runtime.recovery.checkpoint import CHECKPOINT_KEY, Checkpoint
from stream.sla.codec import codec
from stream.sla.effects import Effect, Kind
from stream.wire.decode import Rejected, RejectReason
from stream.wire.effect import DeadLetter, decode_effect, decode_rejected, encode_rejected
from tests.chaos.checker import check_rejected
from tests.chaos.pace import MINUTE
from tests.chaos.recorded import START, Deployed, clean
from tests.chaos.run import hours, judge, policies
from tests.chaos.test_chaos_checker import first, instead, restated
from tests.chaos.truth import Truth, truth
from tests.chaos.variants import POLICY, longer, pauses, renamed, shorter

if TYPE_CHECKING:
    from tests.chaos.recording import Recording, Stored

LONGER_AT, SHORTER_AT = 8, 12


@cache
def recorded() -> Recording:
    """One deployment that is known before it holds, and one that is known late, and then undone."""
    file = yaml.safe_load(POLICY.read_text("utf-8").replace(" on: ", " 'on': "))
    one, other = deepcopy(file), deepcopy(file)
    for edit in (longer, renamed):
        edit(one, START)
    for edit in (shorter, pauses):
        edit(other, START)
    deploys = [
        Deployed(6, LONGER_AT, DeploymentKind.DEPLOY, one),
        Deployed(15, SHORTER_AT, DeploymentKind.DEPLOY, other),
        Deployed(19, SHORTER_AT, DeploymentKind.UNDO, {}),
    ]
    return clean(5, 25, deploys, history=200)


@cache
def known() -> Truth:
    return truth(recorded(), policies(), hours())


@pytest.fixture
def sound() -> Recording:
    return recorded()


def objections(recording: Recording) -> list[str]:
    return judge(recording, known())[0]


def without(recording: Recording, *gone: Stored) -> Recording:
    return recording._replace(
        breaches=[one for one in recording.breaches if one not in gone],
        escalations=[one for one in recording.escalations if one not in gone],
    )


def moved(one: Effect) -> bool:
    return one.kind is Kind.RETARGETED and one.deployment == 1


def test_a_sound_recording_is_found_sound_and_has_deployments_that_moved_and_took_back(sound: Recording) -> None:
    found, counts = judge(sound)

    emitted = [decode_effect(one.value or b"") for one in sound.breaches]
    assert found == []
    assert counts["deployments"] == 4
    assert sum(moved(one) for one in emitted) > 5
    assert {one.deployment for one in emitted if one.retracts} == {None, 2, 3}


def test_a_ticket_whose_deadline_a_deployment_did_not_move_is_named(sound: Recording) -> None:
    taken_back = {decode_effect(one.value or b"").retracts for one in sound.breaches}
    stored, effect = first(sound.breaches, lambda one: moved(one) and one.id not in taken_back)

    found = objections(without(sound, stored))

    assert found[0].startswith("lost: ")
    assert effect.ticket in found[0]


def test_a_retraction_that_an_undo_left_out_is_named(sound: Recording) -> None:
    stored, effect = first(sound.breaches, lambda one: bool(one.retracts) and one.deployment == 3)

    found = objections(without(sound, stored))

    assert found
    assert any(effect.retracts in one and one.startswith(("invented: ", "repeated: ")) for one in found)


def test_what_a_set_that_is_not_in_force_yet_has_judged_is_named(sound: Recording) -> None:
    stored, effect = first(sound.breaches, moved)
    hasty = restated(stored, effect, at=effect.at - 2 * MINUTE)

    found = objections(sound._replace(breaches=instead(sound.breaches, stored, hasty)))

    assert any(one.startswith("early: ") and "which holds from" in one for one in found)
    assert any(one.startswith("invented: ") for one in found)


def test_a_deadline_by_a_set_that_is_not_in_force_yet_is_named(sound: Recording) -> None:
    stored, effect = first(
        sound.breaches,
        lambda one: one.kind is Kind.STARTED and one.commitment == "resolution" and one.at < START + LONGER_AT * MINUTE,
    )
    foreseen = restated(stored, effect, due_at=(effect.due_at or 0) + 8 * MINUTE)

    found = objections(sound._replace(breaches=instead(sound.breaches, stored, foreseen)))

    assert {one.partition(":")[0] for one in found} >= {"lost", "invented"}


def test_what_a_deployment_made_true_before_it_was_in_the_log_is_named(sound: Recording) -> None:
    stored, effect = first(sound.breaches, lambda one: one.deployment == 2 and not one.retracts)
    hasty = stored._replace(written=START + 14 * MINUTE)

    found = objections(sound._replace(breaches=instead(sound.breaches, stored, hasty)))

    assert any(effect.id in one and "before deployment 2 was in the log" in one for one in found)


def test_another_policy_or_reason_than_the_deployment_gives_is_named(sound: Recording) -> None:
    taken_back = {decode_effect(one.value or b"").retracts for one in sound.breaches}
    stored, effect = first(sound.breaches, lambda one: moved(one) and one.id not in taken_back)

    found = objections(sound._replace(breaches=instead(sound.breaches, stored, restated(stored, effect, policy_version=7))))

    assert [one.partition(":")[0] for one in found] == ["different", "different"]


@pytest.mark.parametrize(("cause", "number"), [("deployment:9", 9), ("deployment:1", 1), ("deployment:2", 3)])
def test_a_retraction_that_its_deployment_does_not_explain_is_named(sound: Recording, cause: str, number: int) -> None:
    stored, effect = first(sound.breaches, lambda one: bool(one.retracts) and one.deployment == 2)
    other = restated(stored, effect, cause=cause, deployment=number)

    found = objections(sound._replace(breaches=instead(sound.breaches, stored, other)))

    assert any(one.startswith("unexplained: ") and effect.retracts in one for one in found)


def test_a_partition_that_was_not_swept_is_named(sound: Recording) -> None:
    checkpoint = next(one for one in sound.changelog if one.key == CHECKPOINT_KEY)
    decoded = msgspec.json.decode(checkpoint.value or b"", type=Checkpoint)
    behind = checkpoint._replace(value=msgspec.json.encode(msgspec.structs.replace(decoded, swept=2)))

    found = objections(sound._replace(changelog=instead(sound.changelog, checkpoint, behind)))

    assert found == [f"state: partition {checkpoint.partition} was swept after deployment 2, not 3"]


def test_a_state_that_only_claims_to_have_met_a_deployment_is_named(sound: Recording) -> None:
    old = {one.key: one for one in clean(5, 25, history=200).changelog}
    stored = next(
        one for one in sound.changelog if one.key != CHECKPOINT_KEY and "fix" in codec.decode(one.value or b"").head.commitments
    )
    state = codec.decode(old[stored.key].value or b"")
    state.head.deployment = 3

    found = objections(sound._replace(changelog=instead(sound.changelog, stored, stored._replace(value=codec.encode(state)))))

    assert any(one.startswith(f"state: {(stored.key or b'').decode()}") for one in found)


def test_records_that_are_void_change_nothing(sound: Recording) -> None:
    last = sound.deployments[-1]
    stray = last._replace(offset=4, value=b"stray")
    overtaken = sound.deployments[1]._replace(offset=5)

    found, counts = judge(sound._replace(deployments=(*sound.deployments, stray, overtaken)))

    assert found == []
    assert counts["void deployments"] == 2


def test_an_event_before_a_history_that_was_cut_may_be_refused_or_not_where_policies_were_deployed() -> None:
    file = yaml.safe_load(POLICY.read_text("utf-8").replace(" on: ", " 'on': "))
    edited = deepcopy(file)
    longer(edited, START)
    cut = clean(5, 25, [Deployed(6, LONGER_AT, DeploymentKind.DEPLOY, edited)])
    found = truth(cut, policies(), hours())
    late = [one for one in cut.rejected if decode_rejected(one.value or b"").rejected.reason == RejectReason.TOO_LATE]
    other = next(one for one in cut.events if (one.partition, one.offset) not in found.may_be_late and not one.headers)
    dead_letter = DeadLetter(
        Rejected(RejectReason.TOO_LATE, "", "$.at"), other.key, other.value, other.topic, other.partition, other.offset, START
    )
    undeserved = other._replace(topic=late[0].topic, value=encode_rejected(dead_letter))

    assert late
    assert found.may_be_late
    assert check_rejected(cut, found) == []
    assert check_rejected(cut._replace(rejected=[one for one in cut.rejected if one not in late]), found) == []
    (objection,) = check_rejected(cut._replace(rejected=[*cut.rejected, undeserved]), found)
    assert objection.startswith("refused although it is sound: ")
