"""Events in a file, and those that were written lately."""

from __future__ import annotations

import asyncio
import io

from stream.feeds.reading import MappedEvent
from stream.pull.output import FileOutput
from stream.pull.recent import Recent


def _event(number: int, at: str = "2026-03-02T10:00:00Z") -> MappedEvent:
    return MappedEvent("desk/1", b'{"type":"comment.added","id":"%d","at":"%s","public":true}' % (number, at.encode()))


def test_a_file_has_each_event_once_in_the_order_of_time() -> None:
    file = io.BytesIO()
    late, early, same = _event(1), _event(2, "2026-03-02T15:29:59.5+05:30"), _event(3)

    async def write() -> None:
        output = FileOutput(file)
        await output.write([late, early], [])
        await output.write([same, early], [])
        await output.finish()

    asyncio.run(write())

    assert file.getvalue().splitlines() == [early.value, late.value, same.value]


def test_recent_events_are_known_until_there_are_too_many() -> None:
    recent = Recent(most=3)
    values = [_event(number).value for number in range(4)]

    recent.add(values)

    assert [recent.knows(value) for value in values] == [False, True, True, True]
