"""The checker of erasures: it has nothing against a sound recording, and names what is wrong in any other."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from stream.sla.codec import codec
from stream.sla.engine import Engine
from stream.sla.erasure import is_erased
from stream.wire.effect import decode_effect, encode_effect
from tests.chaos.recorded import clean
from tests.chaos.run import hours, judge, policies
from tests.chaos.truth import Truth, truth

if TYPE_CHECKING:
    from stream.sla.effects import Effect
    from tests.chaos.recording import Recording, Stored


@pytest.fixture(scope="module")
def sound() -> Recording:
    return clean(3, 22, erasures=True)


@cache
def known() -> Truth:
    return truth(clean(3, 22, erasures=True), policies(), hours())


def objections(recording: Recording) -> list[str]:
    return [one for one in judge(recording, known())[0] if one.startswith("erased: ")]


def of_an_erasure(sound: Recording) -> tuple[int, Effect]:
    """The place of an effect of an erasure, which ends a commitment."""
    causes = known().erasures.values()
    effects = [decode_effect(one.value or b"") for one in sound.breaches]
    return next((place, effect) for place, effect in enumerate(effects) if effect.cause in causes)


def other(effect: Effect, stored: Stored, **changes: Any) -> Stored:
    return stored._replace(value=encode_effect(msgspec.structs.replace(effect, **changes)))


def test_a_recording_with_erasures_is_found_sound(sound: Recording) -> None:
    found, counts = judge(sound, known())

    assert found == []
    assert counts["tickets erased"] > 2


def test_a_field_that_an_effect_still_shows_is_named(sound: Recording) -> None:
    place, effect = of_an_erasure(sound)
    breaches = list(sound.breaches)
    breaches[place] = other(effect, breaches[place], fields={**effect.fields, "contract": "gold"})

    (found,) = objections(sound._replace(breaches=breaches))

    assert effect.id in found
    assert "contract" in found


def test_an_effect_that_follows_the_erasure_is_named(sound: Recording) -> None:
    place, effect = of_an_erasure(sound)
    breaches = list(sound.breaches)
    breaches.insert(place + 1, other(effect, breaches[place], id="later", cause="timer"))

    (found,) = objections(sound._replace(breaches=breaches))

    assert found.startswith(f"erased: {effect.kind} of {effect.ticket}, later, follows its erasure")


def test_a_ticket_that_keeps_something_is_named(sound: Recording) -> None:
    changelog = [with_history(one) for one in sound.changelog]

    found = objections(sound._replace(changelog=changelog))

    assert {one.split()[1] for one in found} == known().erasures.keys()
    assert all("keeps more than its name" in one for one in found)


def test_a_ticket_that_comes_back_is_named(sound: Recording) -> None:
    ticket = min(known().erasures)
    record = next(one for one in sound.changelog if one.key == ticket.encode())
    back = with_history(record._replace(offset=9_999), ended=False)

    (found,) = objections(sound._replace(changelog=[*sound.changelog, back]))

    assert found.startswith(f"erased: {ticket} came back")


def test_a_ticket_that_is_not_erased_is_named(sound: Recording) -> None:
    ticket = min(known().erasures)
    changelog = [with_history(one, ended=False) if one.key == ticket.encode() else one for one in sound.changelog]

    (found,) = objections(sound._replace(changelog=changelog))

    assert found == f"erased: {ticket} is still kept"


def with_history(record: Stored, *, ended: bool = True) -> Stored:
    """The record of an erased ticket with its first event kept; any other record as it is. ``ended``: as erased."""
    ticket = (record.key or b"").decode("utf-8", "replace")
    if ticket not in known().erasures:
        return record
    event = known().tickets[ticket].events[0][1]
    state = Engine(policies(), history=3).apply(None, ticket, event, event.at).state
    if ended:
        head = codec.decode(record.value or b"").head
        assert is_erased(head)
        state.head.ended_by, state.head.ended_at, state.head.last = head.ended_by, head.ended_at, head.last
    return record._replace(value=codec.encode(state))
