"""A worker that is suspended in a takeover and replaced meanwhile: it disturbs nobody, and joins the group again."""

from __future__ import annotations

import signal
from collections import Counter
from typing import TYPE_CHECKING

from tests.broker.running import (
    HOUR,
    SECOND,
    START,
    Worker,
    all_committed,
    effects,
    event,
    publish,
    replayed,
    sent,
    substance,
    tick,
    until,
)

if TYPE_CHECKING:
    from pathlib import Path

    from stream.runtime.kafka.topics import Topics

_STOPS_ONCE = """
import os
import signal
from pathlib import Path

from stream.runtime import takeover

leave, stopped = takeover._leave, Path({stopped!r})

async def leave_later(*args):
    if not stopped.exists():
        stopped.touch()
        os.kill(os.getpid(), signal.SIGSTOP)
    await leave(*args)

takeover._leave = leave_later
"""


def published(broker: str, topics: Topics) -> Counter[object]:
    return Counter(substance(effect) for effect, _ in effects(broker, topics))


def test_a_worker_that_was_replaced_during_its_takeover_fences_nobody_and_joins_again(
    broker: str, topics: Topics, tmp_path: Path
) -> None:
    feed = [
        (f"desk/{number}", event(f"desk/{number}", "ticket.created", START + number * SECOND, fields={"priority": "p1"}))
        for number in range(40)
    ]
    answers = [
        (ticket, event(ticket, "comment.added", created.at + HOUR // 2, actor="agent", public=True))
        for ticket, created in feed[::2]
    ]
    end, flags, stopped = START + 100 * HOUR, ("--clock", "event"), tmp_path / "stopped"
    suspended = Worker(broker, topics, tmp_path, *flags, patch=_STOPS_ONCE.format(stopped=str(stopped)))
    due = dict.fromkeys(replayed(tmp_path, [*feed, *answers], end), 1)
    with suspended:
        until(stopped.exists, "the tickets are restored, and the takeover begins", suspended)
        with Worker(broker, topics, tmp_path, *flags).ready() as owner:
            publish(broker, topics, [sent(ticket, what) for ticket, what in [*feed, *answers]])
            until(lambda: all_committed(broker, topics), "the other one has done its work", owner)
            suspended.process.send_signal(signal.SIGCONT)
            until(lambda: suspended.owns_some() and owner.owns_some() and owner.readies() > 1, "they share", suspended)
            publish(broker, topics, tick(end))
            until(lambda: due.keys() <= published(broker, topics).keys(), "all that is due is published", owner)
            assert owner.process.poll() is None

    assert published(broker, topics) == due
