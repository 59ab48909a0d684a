"""The checker of the chaos runs: it has nothing against a sound recording, and names what is wrong in any other."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from stream.runtime.recovery.checkpoint import CHECKPOINT_KEY, Checkpoint
from stream.sla.codec import codec
from stream.sla.effects import Effect, Kind
from stream.sla.engine import Engine
from stream.wire.effect import decode_effect, encode_effect
from tests.chaos.pace import MINUTE
from tests.chaos.recorded import clean
from tests.chaos.recording import Recording, Step, Stored
from tests.chaos.run import hours, judge, policies
from tests.chaos.truth import Truth, truth
from tests.chaos.workload import PARTITIONS

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="module")
def sound() -> Recording:
    return clean(3, 22)


@cache
def known(events: tuple[Stored, ...]) -> Truth:
    return truth(clean(3, 22)._replace(events=list(events)), policies(), hours())


def objections(recording: Recording) -> list[str]:
    return judge(recording, known(tuple(recording.events)))[0]


def first(records: list[Stored], true: Callable[[Effect], bool]) -> tuple[Stored, Effect]:
    return next((one, effect) for one in records if true(effect := decode_effect(one.value or b"")))


def instead(records: list[Stored], old: Stored, *new: Stored) -> list[Stored]:
    place = records.index(old)
    return [*records[:place], *new, *records[place + 1 :]]


def restated(stored: Stored, effect: Effect, **changes: Any) -> Stored:
    return stored._replace(value=encode_effect(msgspec.structs.replace(effect, **changes)))


def test_a_sound_recording_is_found_sound_and_has_something_of_everything(sound: Recording) -> None:
    found, counts = judge(sound)

    assert found == []
    assert counts["emitted"] > 200
    assert counts["retracted"] > 5
    assert sound.escalations
    assert {b"too_late" in (one.value or b"") for one in sound.rejected} == {True, False}


@pytest.mark.parametrize("kind", [Kind.BREACHED, Kind.RAISED])
def test_an_effect_that_is_missing_is_named(sound: Recording, kind: Kind) -> None:
    emitted = sound.breaches + sound.escalations
    taken_back = {decode_effect(one.value or b"").retracts for one in emitted}
    stored, effect = first(emitted, lambda one: one.kind is kind and one.id not in taken_back)
    without = sound._replace(
        breaches=[one for one in sound.breaches if one != stored],
        escalations=[one for one in sound.escalations if one != stored],
    )

    (found,) = objections(without)

    assert found.startswith("lost: ")
    assert effect.ticket in found
    assert kind in found


def test_a_retraction_that_is_missing_leaves_something_that_is_not_true(sound: Recording) -> None:
    stored, effect = first(sound.breaches, lambda one: bool(one.retracts))

    found = objections(sound._replace(breaches=instead(sound.breaches, stored)))

    assert found
    assert all(one.startswith(("invented: ", "repeated: ")) and effect.retracts in one for one in found)


def test_an_effect_that_stands_twice_is_named(sound: Recording) -> None:
    stored, effect = first(sound.breaches, lambda one: one.kind is Kind.WARNED)
    again = stored._replace(offset=9_999)

    (found,) = objections(sound._replace(breaches=instead(sound.breaches, stored, stored, again)))

    assert found.startswith("repeated: ")
    assert effect.id in found


def test_an_effect_that_stands_twice_under_two_ids_is_named(sound: Recording) -> None:
    taken_back = {decode_effect(one.value or b"").retracts for one in sound.breaches}
    stored, effect = first(sound.breaches, lambda one: one.kind is Kind.BREACHED and one.id not in taken_back)
    again = restated(stored, effect, id="another")._replace(headers=(("ce_id", b"another"),))

    (found,) = objections(sound._replace(breaches=instead(sound.breaches, stored, stored, again)))

    assert found.startswith("repeated: ")
    assert "another" in found


def test_an_effect_that_is_not_true_is_named(sound: Recording) -> None:
    stored, effect = first(sound.breaches, lambda one: one.kind is Kind.STARTED)
    false = restated(stored, effect, id="another", kind=Kind.EXTENSION_REFUSED)._replace(headers=(("ce_id", b"another"),))

    (found,) = objections(sound._replace(breaches=[*sound.breaches, false]))

    assert found.startswith("invented: commitment.extension_refused")


def test_another_deadline_is_named(sound: Recording) -> None:
    taken_back = {decode_effect(one.value or b"").retracts for one in sound.breaches}
    stored, effect = first(
        sound.breaches, lambda one: one.kind is Kind.STARTED and one.due_at is not None and one.id not in taken_back
    )
    other = restated(stored, effect, due_at=(effect.due_at or 0) + MINUTE)

    found = objections(sound._replace(breaches=instead(sound.breaches, stored, other)))

    assert [one.partition(":")[0] for one in found] == ["lost", "invented"]
    assert all(effect.ticket in one for one in found)


def test_what_was_written_or_detected_before_it_became_true_is_named(sound: Recording) -> None:
    stored, effect = first(sound.breaches, lambda one: one.kind is Kind.BREACHED)
    hasty = stored._replace(written=effect.at - 1_000_000)
    foreseen = restated(stored, effect, detected_at=effect.at - 1)

    (found,) = objections(sound._replace(breaches=instead(sound.breaches, stored, hasty)))
    (other,) = objections(sound._replace(breaches=instead(sound.breaches, stored, foreseen)))

    assert found.startswith("early: ")
    assert "was written" in found
    assert other.startswith("early: ")
    assert "was detected" in other


def test_a_clock_that_was_ahead_explains_what_was_written_early_and_no_other_time_does(sound: Recording) -> None:
    stored, effect = first(sound.breaches, lambda one: one.kind is Kind.BREACHED)
    hasty = stored._replace(written=effect.at - 1_000_000)
    recording = sound._replace(breaches=instead(sound.breaches, stored, hasty))
    step = Step(hasty.written - 1_000, hasty.written + 1_000, MINUTE)
    long_ago = Step(hasty.written - 90_000_000, hasty.written - 80_000_000, MINUTE)

    assert objections(recording._replace(steps=[step])) == []
    assert objections(recording._replace(steps=[long_ago])) != []
    assert objections(recording._replace(steps=[step._replace(by=-MINUTE)])) != []


def test_who_takes_back_what_a_clock_that_was_ahead_has_emitted_may_have_a_right_clock(sound: Recording) -> None:
    stored, effect = first(sound.breaches, lambda one: one.kind is Kind.BREACH_RETRACTED)
    corrected = restated(stored, effect, detected_at=effect.at - MINUTE // 2)
    recording = sound._replace(breaches=instead(sound.breaches, stored, corrected))
    step = Step(stored.written - 2_000, stored.written - 1_000, 2 * MINUTE)
    afterwards = Step(stored.written + 1_000, stored.written + 2_000, 2 * MINUTE)

    assert objections(recording._replace(steps=[step])) == []
    assert objections(recording._replace(steps=[afterwards])) != []
    assert objections(recording) != []


def test_what_waited_may_be_published_by_a_right_clock_up_to_where_a_clock_that_was_ahead_had_come(sound: Recording) -> None:
    stored, effect = first(sound.breaches, lambda one: one.kind is Kind.BREACHED)
    step = Step(stored.written - 2_000, stored.written - 1_000, 2 * MINUTE)
    waited = restated(stored, effect, detected_at=effect.at - MINUTE // 2)
    before, _ = first(sound.breaches, lambda one: one.ticket == effect.ticket)
    far = restated(before, decode_effect(before.value or b""), at=effect.at)
    recording = sound._replace(breaches=instead(sound.breaches, stored, waited), steps=[step])
    reached = recording._replace(breaches=instead(recording.breaches, before, far))

    assert [one for one in objections(recording) if one.startswith("early: ") and effect.id in one]
    assert not [one for one in objections(reached) if one.startswith("early: ") and effect.id in one]
    assert [one for one in objections(reached._replace(steps=[])) if one.startswith("early: ") and effect.id in one]


def test_an_effect_in_another_partition_or_about_another_ticket_is_named(sound: Recording) -> None:
    stored, effect = first(sound.breaches, lambda one: one.kind is Kind.MET)
    moved = stored._replace(partition=(stored.partition + 1) % PARTITIONS)
    renamed = stored._replace(key=b"desk/other")

    for other in (moved, renamed):
        (found,) = objections(sound._replace(breaches=instead(sound.breaches, stored, other)))
        assert found.startswith("misplaced: ")
        assert effect.id in found


def test_an_effect_of_a_ticket_without_any_event_is_named(sound: Recording) -> None:
    stored, effect = first(sound.breaches, lambda one: one.kind is Kind.STARTED)
    other = restated(stored, effect, ticket="desk/nobody", id="another")._replace(key=b"desk/nobody")

    assert any("no event names this ticket" in one for one in objections(sound._replace(breaches=[*sound.breaches, other])))


def test_a_retraction_without_cause_or_of_nothing_is_named(sound: Recording) -> None:
    stored, effect = first(sound.breaches, lambda one: bool(one.retracts))
    causeless = restated(stored, effect, cause="nothing")
    of_nothing = restated(stored, effect, retracts="nothing")

    (found,) = objections(sound._replace(breaches=instead(sound.breaches, stored, causeless)))
    others = objections(sound._replace(breaches=instead(sound.breaches, stored, of_nothing)))

    assert found.startswith("unexplained: ")
    assert others[0].startswith("retracted without having been emitted: ")


def test_a_refusal_that_is_missing_repeated_or_undeserved_is_named(sound: Recording) -> None:
    dead_letters = sound.rejected
    good = next(one for one in sound.events if not one.headers)

    (missing,) = objections(sound._replace(rejected=dead_letters[1:]))
    (repeated,) = objections(sound._replace(rejected=[dead_letters[0], *dead_letters]))
    trusted = [one._replace(headers=(("bad", b"too_large"),)) if one is good else one for one in sound.events]

    assert missing.startswith("not refused: ")
    assert repeated.startswith("repeated: the refusal of ")
    assert any(one.startswith("not refused: ") for one in objections(sound._replace(events=trusted)))


def test_a_ticket_whose_last_states_are_missing_is_named(sound: Recording) -> None:
    stored = next(
        one for one in sound.changelog if one.key != CHECKPOINT_KEY and codec.decode(one.value or b"").recent.kept > 2
    )
    ticket = (stored.key or b"").decode()
    (_, event), *_ = known(tuple(sound.events)).tickets[ticket].events
    older = Engine(policies()).apply(None, ticket, event, event.at).state

    (gone,) = objections(sound._replace(changelog=instead(sound.changelog, stored)))
    (stale, *_) = objections(
        sound._replace(changelog=instead(sound.changelog, stored, stored._replace(value=codec.encode(older))))
    )

    assert gone == f"state: {ticket} is not kept"
    assert stale.startswith(f"state: {ticket} ")


def test_a_state_that_a_replaced_worker_appended_does_not_count(sound: Recording) -> None:
    stored = next(one for one in sound.changelog if one.key != CHECKPOINT_KEY)
    stale = stored._replace(offset=99_999, value=b"stale", headers=(("epoch", b"0"),))

    assert objections(sound._replace(changelog=[*sound.changelog, stale])) == []


def test_a_ticket_that_was_not_woken_is_named(sound: Recording) -> None:
    awake = [(one, codec.decode(one.value or b"")) for one in sound.changelog if one.key != CHECKPOINT_KEY]
    stored, state = next(pair for pair in awake if pair[1].head.next is not None)
    late = sound._replace(until=(state.head.next or 0) + 1)

    assert any(one.startswith(f"state: {(stored.key or b'').decode()} was to be woken at ") for one in objections(late))


def test_a_wrong_watermark_and_an_offset_that_is_not_committed_are_named(sound: Recording) -> None:
    checkpoint = next(one for one in sound.changelog if one.key == CHECKPOINT_KEY)
    behind = checkpoint._replace(value=msgspec.json.encode(Checkpoint(1)))

    (found,) = objections(sound._replace(changelog=instead(sound.changelog, checkpoint, behind)))
    (other,) = objections(sound._replace(committed={**sound.committed, 2: 1}))

    assert found.startswith(f"state: the watermark of partition {checkpoint.partition} is 1, not ")
    assert other.startswith("offsets: partition 2 is committed up to 1, its end is ")


def test_a_feed_that_goes_back_is_named(sound: Recording) -> None:
    checkpoint = next(one for one in sound.changelog if one.key == CHECKPOINT_KEY)
    ahead = checkpoint._replace(value=msgspec.json.encode(Checkpoint(sound.stopped)))
    again = checkpoint._replace(offset=9_999)
    by_a_replaced_worker = again._replace(value=msgspec.json.encode(Checkpoint(1)), headers=(("epoch", b"0"),))

    (found,) = objections(sound._replace(changelog=instead(sound.changelog, checkpoint, ahead, again)))
    none = objections(sound._replace(changelog=instead(sound.changelog, checkpoint, checkpoint, by_a_replaced_worker)))

    assert found.startswith(f"state: the feed goes back from {sound.stopped} to ")
    assert none == []
