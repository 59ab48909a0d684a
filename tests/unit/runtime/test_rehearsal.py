"""The impact of a deployment on a recorded feed."""

from __future__ import annotations

import msgspec

from stream.deployments.impact import Touch
from stream.deployments.log import Log
from stream.deployments.proposal import Author, deploy
from stream.runtime.rehearsal import rehearse
from stream.wire.instants import format_instant
from tests.unit.deployments.sets import HOUR, START, append, with_target


def test_the_policies_meet_a_ticket_whose_event_ends_the_feed_after_that_event() -> None:
    log = Log()
    append(log, 0, START, "8h")
    created = {"type": "ticket.created", "id": "1", "source": "desk", "ticket": "desk/1", "at": format_instant(START + HOUR)}

    rehearsal = rehearse(
        log, deploy(log, with_target("4h"), START + 9 * HOUR, Author()), [(1, msgspec.json.encode(created))], 200
    )

    assert rehearsal.at == START + HOUR
    assert rehearsal.impact.touches == {Touch.MOVES: 1}
