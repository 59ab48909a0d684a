from __future__ import annotations

import pytest

from stream.sla import codec
from tests.unit.sla.given import HOUR, Told, changed, commitment, created, ladder, policy_set, says, share, used

POLICIES = policy_set(
    commitment("resolution", share(50)), commitment("first_response"), ladders=(ladder(("team", used("2h"))),)
)


def test_a_state_comes_back_as_it_was() -> None:
    told = Told(POLICIES, history=3).event(created(0))
    for hour, event in enumerate([says(HOUR), changed(2 * HOUR, status="pending"), changed(3 * HOUR, status="open")], 5):
        told.event(event).wake(hour * HOUR)
        assert told.state is not None
        assert codec.decode(codec.encode(told.state)) == told.state


def test_the_same_state_has_the_same_bytes() -> None:
    one, other = Told(POLICIES).event(created(0)), Told(POLICIES).event(created(0))
    assert one.state is not None
    assert other.state is not None
    assert codec.encode(one.state) == codec.encode(other.state)


def test_an_open_ticket_of_ordinary_length_takes_less_than_a_kibibyte() -> None:
    start = 1_790_000_000 * 1_000_000
    told = Told(POLICIES).event(created(start, customer="acme", team="network", channel="chat", contract="gold"))
    for hour, status in enumerate(["open", "pending"], 1):
        told.event(changed(start + hour * HOUR, status=status)).event(says(start + hour * HOUR + 1))
    assert told.state is not None
    assert len(codec.encode(told.state)) < 1024


@pytest.mark.parametrize("data", [b"", b"\x02abc", b"\x01\xc1", b"\x01\x90"])
def test_bytes_that_are_no_state_are_an_error_that_says_so(data: bytes) -> None:
    with pytest.raises(codec.CodecError, match="ticket state"):
        codec.decode(data)


@pytest.mark.parametrize(("data", "form"), [(b"", "none"), (b"\x02\x05", "2")])
def test_a_state_of_another_form_is_refused_with_its_form_ours_and_a_question(data: bytes, form: str) -> None:
    with pytest.raises(codec.CodecError) as refused:
        codec.decode(data)

    assert str(refused.value) == (
        f"a ticket state of form {form}; this breachwatch reads form 1. Was the table written by a newer version?"
    )
