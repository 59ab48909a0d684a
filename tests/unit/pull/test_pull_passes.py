"""One pass over a resource: what is written, when the cursor moves, and what a crash repeats."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from stream.feeds.reading import read
from stream.pull.api import Cursor
from stream.pull.errors import ForbiddenError, RefusedError, UnauthorizedError, UnreachableError
from stream.pull.follow import pull_all
from stream.pull.passes import pull
from tests.unit.pull.desk import SECOND, START, Notes, Saved, Written, feed, mapping, note

if TYPE_CHECKING:
    from pathlib import Path

    from stream.pull.outcome import Counts


def _pulled(folder: Path, resource: Any, saved: Saved, cursor: Cursor | None = None, **options: Any) -> Counts:
    return asyncio.run(pull(feed(folder, saved.output, **options), resource, START, cursor, saved))


def _saved() -> Saved:
    return Saved(Written())


def test_every_page_is_written_before_the_cursor_moves_behind_it(tmp_path: Path) -> None:
    saved = _saved()

    counts = _pulled(tmp_path, Notes([note(1, 1), note(2, 2)], [note(3, 2)]), saved)

    assert saved.output.ids == ["note-1", "note-2", "note-3"]
    assert [(cursor, written) for _, cursor, _, written in saved.calls] == [
        (Cursor(START + 2 * SECOND, "2"), 2),
        (Cursor(START + 2 * SECOND, "3"), 3),
        (Cursor(START + 2 * SECOND, "3"), 3),
    ]
    assert (counts.documents, counts.events, counts.unmapped) == (3, 3, 0)


def test_only_the_end_states_up_to_when_the_resource_is_complete_less_the_look_back(tmp_path: Path) -> None:
    saved = _saved()

    _pulled(tmp_path, Notes([note(1, 1)]), saved, clock=START + 100 * SECOND)

    assert [complete for _, _, complete, _ in saved.calls] == [None, START + 70 * SECOND]


def test_pages_without_an_order_move_the_cursor_only_at_the_end(tmp_path: Path) -> None:
    saved = _saved()

    _pulled(tmp_path, Notes([note(2, 9)], [note(1, 1)], ordered=False), saved)

    assert saved.cursors == [Cursor(START + 9 * SECOND, "2")]


def test_a_look_back_does_not_move_the_cursor_back(tmp_path: Path) -> None:
    saved, known = _saved(), Cursor(START + 50 * SECOND, "7")

    _pulled(tmp_path, Notes([note(1, 40)]), saved, known)

    assert saved.cursors == [known]


def test_an_empty_resource_keeps_where_it_began(tmp_path: Path) -> None:
    saved = _saved()

    _pulled(tmp_path, Notes(), saved)

    assert saved.cursors == [Cursor(START, "")]


def test_what_was_written_lately_is_not_written_again(tmp_path: Path) -> None:
    saved = _saved()
    of_desk = feed(tmp_path, saved.output)

    async def twice() -> None:
        await pull(of_desk, Notes([note(1, 1), note(2, 2)]), START, None, saved)
        await pull(of_desk, Notes([note(2, 2), note(3, 3)]), START, None, saved)

    asyncio.run(twice())

    assert saved.output.ids == ["note-1", "note-2", "note-3"]


def test_what_was_not_acknowledged_is_written_again_and_the_cursor_waits(tmp_path: Path) -> None:
    saved = Saved(Written(fail=OSError("the broker is away")))
    of_desk = feed(tmp_path, saved.output)

    async def twice() -> None:
        with pytest.raises(OSError, match="away"):
            await pull(of_desk, Notes([note(1, 1)]), START, None, saved)
        assert saved.calls == []
        await pull(of_desk, Notes([note(1, 1)]), START, None, saved)

    asyncio.run(twice())

    assert saved.output.ids == ["note-1", "note-1"]


def test_a_document_that_is_not_mapped_is_reported_and_stops_nothing(tmp_path: Path) -> None:
    saved, unmapped = _saved(), list[tuple[str, str, str]]()

    counts = _pulled(tmp_path, Notes([note(1, 1), note(2, 2, public=None), note(3, 3)]), saved, reported=unmapped)

    assert saved.output.ids == ["note-1", "note-3"]
    assert unmapped == [("notes", "2", "a note states whether it is public")]
    assert counts.unmapped == 1
    (dead_letter,) = saved.output.dead_letters
    assert (dead_letter.feed, dead_letter.reason, dead_letter.line > 0) == ("desk", "unmapped", True)
    assert read(mapping(tmp_path), msgspec.json.decode(dead_letter.body), {}, START).unmapped is not None


@pytest.mark.parametrize("depth", [300, 1_000])
def test_a_document_that_is_nested_too_deeply_is_a_dead_letter_without_it(tmp_path: Path, depth: int) -> None:
    saved = _saved()
    nested: list[Any] = []
    for _ in range(depth):
        nested = [nested]

    deep = note(2, 2, public=None)
    deep.payload["more"] = nested

    counts = _pulled(tmp_path, Notes([note(1, 1), deep, note(3, 3)]), saved)

    assert saved.output.ids == ["note-1", "note-3"]
    assert counts.unmapped == 1
    (dead_letter,) = saved.output.dead_letters
    assert msgspec.json.decode(dead_letter.body) == {
        "id": "2",
        "updated_at": START + 2 * SECOND,
        "left_out": "nested too deeply",
    }


def test_a_dead_letter_is_written_once_and_before_the_cursor_moves(tmp_path: Path) -> None:
    saved, unmapped = _saved(), list[tuple[str, str, str]]()
    of_desk = feed(tmp_path, saved.output, unmapped)

    async def twice() -> None:
        saved.output.fail = OSError("the broker is away")
        with pytest.raises(OSError, match="away"):
            await pull(of_desk, Notes([note(2, 2, public=None)]), START, None, saved)
        assert saved.calls == []
        await pull(of_desk, Notes([note(2, 2, public=None)]), START, None, saved)
        await pull(of_desk, Notes([note(2, 2, public=None)]), START, None, saved)

    asyncio.run(twice())

    assert len(saved.output.dead_letters) == 2, "once before it was acknowledged, and once again"


def test_an_api_that_goes_round_in_circles_is_left(tmp_path: Path) -> None:
    saved = _saved()

    with pytest.raises(RefusedError, match="again and again"):
        _pulled(tmp_path, Notes(*[[note(1, 1), note(2, 1)]] * 1_000), saved)

    assert saved.output.ids == ["note-1", "note-2"]


def test_a_resource_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    saved = _saved()
    closed, broken, good = Notes(ForbiddenError("403")), Notes([note(1, 1)], UnreachableError("500")), Notes([note(2, 2)])
    closed.name, broken.name = "audits", "events"

    outcome = asyncio.run(pull_all(feed(tmp_path, saved.output), [closed, broken, good], START, {}, saved))

    assert saved.output.ids == ["note-1", "note-2"]
    assert outcome.failed.keys() == {"audits", "events"}
    assert not outcome.complete
    assert not outcome.reached
    assert (outcome.counts.documents, outcome.counts.events) == (1, 1)


def test_what_an_account_may_not_see_does_not_make_a_feed_incomplete(tmp_path: Path) -> None:
    saved = _saved()

    outcome = asyncio.run(pull_all(feed(tmp_path, saved.output), [Notes(ForbiddenError("403"))], START, {}, saved))

    assert outcome.complete


def test_wrong_credentials_stop_the_puller(tmp_path: Path) -> None:
    saved = _saved()

    with pytest.raises(UnauthorizedError):
        asyncio.run(pull_all(feed(tmp_path, saved.output), [Notes(UnauthorizedError("401"))], START, {}, saved))


def test_each_resource_begins_where_it_was_left_less_its_look_back(tmp_path: Path) -> None:
    saved = _saved()
    known, fresh = Notes(), Notes()
    fresh.name = "audits"
    cursors = {"notes": Cursor(START + 100 * SECOND, "9")}

    asyncio.run(pull_all(feed(tmp_path, saved.output), [known, fresh], START, cursors, saved))

    assert (known.asked, fresh.asked) == ([START + 70 * SECOND], [START])
