"""A state without its frame takes less memory, and comes back byte by byte."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream.sla.codec import codec, frames
from tests.unit.sla.given import HOUR, Life, commented, commitment, created, ladder, policy_set, share, used

POLICIES = policy_set(
    commitment("resolution", share(50)), commitment("first_response"), ladders=(ladder(("team", used("2h"))),)
)
START = 1_790_000_000 * 1_000_000
WRITTEN = [b64decode(one["bytes"]) for one in json.loads((Path(__file__).parent / "golden/states.json").read_text("utf-8"))]


def life(start: int = START) -> Life:
    return Life(POLICIES).event(created(start)).event(commented(start + HOUR))


def stored(start: int = START) -> bytes:
    state = life(start).state
    assert state is not None
    return codec.encode(state)


@given(st.one_of(st.binary(max_size=80), st.binary(max_size=40).map(lambda data: b"\x02\x92\x97\xc0\x95\xcf\x00" + data)))
@example(b"")
@example(b"\x02\x92\x97\xc0\x95\xcf\x001234567\xc4\xff")
@example(b"\x02\x92\x97\xc0\x95\xcf\x001234567\xc5\x00\x02ab")
@example(b"\x02\x92\x97\xc0\x95\xcf\x001234567\xc4\x00")
def test_any_bytes_come_back_as_they_were(data: bytes) -> None:
    assert frames.whole(frames.cut(data)) == data


@pytest.mark.parametrize("data", [*WRITTEN, stored(), stored(0)])
def test_a_state_comes_back_as_it_was(data: bytes) -> None:
    assert frames.whole(frames.cut(data)) == data


def test_tickets_that_are_alike_share_the_bytes_of_their_frame() -> None:
    first, second = stored(), stored(START + 5)
    known = len(frames._frames)

    cut = frames.cut(first), frames.cut(second)

    assert len(frames._frames) <= known + 1
    assert cut[0][:2] == cut[1][:2] != b"\0\0"
    assert len(cut[0]) < len(first) - 50
    assert b"resolution" not in cut[0]


def test_when_too_many_frames_are_known_states_stay_whole() -> None:
    data = b"\x02\x92\x97\xc0\x95\xcf\x001234567\xc4\x05never"
    known = len(frames._frames)
    frames._frames.extend([b""] * frames._MOST)
    try:
        assert frames.cut(data) == b"\0\0\0\0" + data
    finally:
        del frames._frames[known:]


@pytest.mark.parametrize("hours", [0, 1_000])
def test_a_cut_state_shows_whether_its_ticket_waits_for_an_instant(hours: int) -> None:
    state = life().wake(START + hours * HOUR).state
    assert state is not None

    assert frames.is_timed(frames.cut(codec.encode(state))) == (state.wake_at is not None) == (not hours)
