"""A sample effect, for the test of a destination."""

from __future__ import annotations

import time
from typing import Final

from stream.sla.effects import Effect, Kind, Reason

_HOUR: Final = 3_600_000_000


def sample() -> Effect:
    """The breach of a ticket that does not exist, now."""
    now = time.time_ns() // 1_000_000 * 1_000
    return Effect(
        id=f"{now:024x}",
        kind=Kind.BREACHED,
        at=now,
        detected_at=now,
        ticket="example/0",
        policy="example",
        policy_version=1,
        commitment="first_response",
        ladder="",
        escalation_kind=None,
        level="",
        assign_to="",
        notify=(),
        owner="",
        cycle=1,
        reason=Reason.TARGET_PASSED,
        cause="timer",
        due_at=now,
        allowed_from=None,
        elapsed=_HOUR,
        paused=0,
        target=_HOUR,
        calendar="",
        timezone="UTC",
        page=False,
        late=False,
        deployment=None,
        provisional=False,
        provisional_reason=None,
        retracts="",
        retracts_kind=None,
        retracts_reason=None,
        fields={"customer": "a test of breachwatch notify", "priority": "p2"},
    )
