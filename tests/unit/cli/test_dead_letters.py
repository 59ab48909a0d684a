"""``breachwatch rejected``: what is selected, shown and published again."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from stream.cli.dead_letters import DeadLetterFilter, FoundDeadLetter, dead_letter_of
from stream.cli.main import main
from stream.cli.rejected_view import ADVICE, Summary, as_json, body_line, whole
from stream.cli.republishing import Republisher
from stream.cli.watch_view import LocalTime
from stream.runtime.kafka.topic_reader import Place
from stream.wire.decode import Rejected, RejectReason
from stream.wire.effect import DeadLetter, encode_rejected

CLOCK = LocalTime(UTC)
EVENT = b'{"type":"ticket.deleted","id":"7","source":"desk","ticket":"desk/1","at":"2026-03-02T09:00:00Z"}'


def dead_letter(value: bytes | None = EVENT, *, offset: int = 5, at: int = 1_000_000, **parts: Any) -> FoundDeadLetter:
    rejected = Rejected(parts.get("reason", RejectReason.INVALID), parts.get("message", "wrong"), parts.get("path", "$.at"))
    body = encode_rejected(DeadLetter(rejected, parts.get("key", b"desk/1"), value, "ticket-events", 0, 9, at))
    found = dead_letter_of(SimpleNamespace(value=body, partition=3, offset=offset))
    assert found is not None
    return found


def selecting(**parts: Any) -> DeadLetterFilter:
    none: dict[str, Any] = {
        "reasons": frozenset(),
        "tickets": frozenset(),
        "sources": frozenset(),
        "since": Place.BEGIN,
        "until": None,
    }
    return DeadLetterFilter(**(none | parts))


def test_a_dead_letter_is_selected_by_reason_ticket_source_and_time() -> None:
    one = dead_letter(at=1_000)

    assert selecting().passes(one)
    assert selecting(reasons=frozenset({RejectReason.INVALID}), sources=frozenset({"desk"})).passes(one)
    assert not selecting(reasons=frozenset({RejectReason.FUTURE})).passes(one)
    assert not selecting(tickets=frozenset({"desk/2"})).passes(one)
    assert selecting(since=1_000).passes(one)
    assert not selecting(since=1_001).passes(one)
    assert not selecting(until=1_000).passes(one)


def test_the_ticket_of_a_body_that_cannot_be_read_is_the_key() -> None:
    assert dead_letter(b"{", key=b"desk/8").ticket == "desk/8"
    assert dead_letter(b'{"ticket": 5, "source": 6}', key=b"desk/8").ticket == "desk/8"
    assert dead_letter(b'{"ticket": "M\xfcller", "type": "\xff"}', key=b"desk/8").ticket == "desk/8"
    assert dead_letter(b'{"type":' + 5_000 * b"[", key=b"desk/8").ticket == "desk/8"
    assert dead_letter(None, key=None).ticket == ""


def test_what_is_not_a_dead_letter_is_none() -> None:
    assert dead_letter_of(SimpleNamespace(value=b"{}", partition=0, offset=0)) is None
    assert dead_letter_of(SimpleNamespace(value=None, partition=0, offset=0)) is None


def test_the_summary_counts_by_reason_and_keeps_the_newest_in_order() -> None:
    summary = Summary(2)
    for offset, (reason, at) in enumerate([("invalid", 30), ("future", 10), ("invalid", 20)]):
        summary.add(dead_letter(offset=offset, at=at * 1_000_000, reason=RejectReason(reason)))

    lines = list(summary.lines(CLOCK))

    assert lines[1].split()[:2] == ["invalid", "2"]
    assert "00:00:30" in lines[1]
    assert lines[2].split()[:2] == ["future", "1"]
    assert lines[4] == "the newest 2 of 3:"
    assert [line.split()[0] for line in lines[5:]] == ["place", "3:0", "3:2"]


def test_the_columns_of_the_list_are_aligned_where_a_body_names_nothing() -> None:
    summary = Summary(20)
    summary.add(dead_letter(offset=1))
    summary.add(dead_letter(b"{", key=None, offset=1_000, reason=RejectReason.UNDECODABLE, path=""))
    summary.add(dead_letter(offset=3, reason=RejectReason.KEY_MISMATCH, path=""))

    heading, *lines = list(summary.lines(CLOCK))[6:]

    assert heading.split() == ["place", "rejected", "at", "reason", "ticket", "type", "id", "source", "message"]
    assert [line.split()[6:] for line in lines] == [
        ["-", "-", "-", "-", "wrong"],
        ["desk/1", "ticket.deleted", "7", "desk", "wrong"],
        ["desk/1", "ticket.deleted", "7", "desk", "wrong", "at", "$.at"],
    ]
    assert {line.index("wrong") for line in lines} == {heading.index("message")}
    assert {line[heading.index("ticket") - 1] for line in lines} == {" "}


def test_a_long_name_does_not_move_the_columns_of_the_other_lines() -> None:
    summary = Summary(20)
    summary.add(dead_letter(offset=1))
    summary.add(dead_letter(b'{"ticket": "%s"}' % (b"x" * 500), offset=2))

    heading, long, other = list(summary.lines(CLOCK))[4:]

    assert "x" * 500 in long
    assert other.index("wrong") == heading.index("message") < 150


def test_no_dead_letters_is_stated() -> None:
    assert list(Summary(20).lines(CLOCK)) == ["no dead letters"]


@pytest.mark.parametrize("reason", RejectReason)
def test_every_reason_has_its_advice(reason: RejectReason) -> None:
    shown = "\n".join(whole(dead_letter(reason=reason), EVENT, [("trace", b"1")], CLOCK))

    assert ADVICE[reason] in shown
    assert "header       trace: 1" in shown
    assert '"ticket": "desk/1"' in shown


def test_a_body_cannot_move_the_cursor() -> None:
    value = b'{"ticket": "\xe2\x80\xae"} \x1b[2J'

    assert all(line.isprintable() for line in whole(dead_letter(value, message="\x1b"), value, None, CLOCK))


def test_json_has_the_place() -> None:
    assert json.loads(as_json(dead_letter()))["place"] == "3:5"


def test_the_body_of_a_line_has_no_line_breaks() -> None:
    assert json.loads(body_line(b'{"a":\n 1}')) == {"a": 1}
    assert b"\n" not in body_line(b'{"a":\r\n "b\\n"}')


class FakePublisher:
    """Records what is published."""

    def __init__(self) -> None:
        self.events: list[tuple[bytes | None, bytes]] = []
        self.ticks: list[bytes] = []
        self.delivered_at: int | None = None

    async def event(self, value: bytes, key: bytes | None) -> None:
        self.events.append((key, value))

    async def tick(self, value: bytes) -> None:
        self.ticks.append(value)

    async def delivered(self) -> None:
        self.delivered_at = len(self.events)


def republished(*dead_letters: FoundDeadLetter, lines: list[bytes] | None = None) -> tuple[FakePublisher, Republisher]:
    publisher = FakePublisher()
    again = Republisher(dry_run=False)
    again.publisher = publisher  # type: ignore[assignment]

    async def run() -> None:
        for each in dead_letters:
            await again.dead_letter(each, each.content.value)
        if lines is not None:
            await again.lines("file", iter(enumerate(lines, 1)))
        await again.finish()

    asyncio.run(run())
    return publisher, again


def test_an_event_is_published_unchanged_under_its_ticket_whatever_its_key_was() -> None:
    publisher, again = republished(dead_letter(key=b"wrong", reason=RejectReason.KEY_MISMATCH))

    assert publisher.events == [(b"desk/1", EVENT)]
    assert publisher.delivered_at == 1
    assert again.summary().startswith("published 1 event; to run this again is harmless")


def test_what_would_be_rejected_again_is_refused_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    publisher, again = republished(dead_letter(b'{"type": "ticket.deleted"}'), dead_letter(None), dead_letter())

    assert len(publisher.events) == 1
    assert again.refused == 2
    assert "3:5: not published: would be rejected again: invalid" in capsys.readouterr().err


def test_a_corrected_file_has_an_event_a_line_or_one_over_many_lines() -> None:
    two, _ = republished(lines=[EVENT, EVENT.replace(b'"7"', b'"8"')])
    assert len(two.events) == 2

    one, again = republished(lines=[b"{", *EVENT.strip(b"{}").replace(b",", b",\n").split(b"\n"), b"}"])
    assert (len(one.events), again.refused) == (1, 0)


def test_a_tick_goes_to_every_partition() -> None:
    publisher, _ = republished(lines=[b'{"type":"feed.tick","source":"desk","at":"2026-03-02T09:00:00Z"}'])

    assert (len(publisher.ticks), publisher.events) == (1, [])


def test_a_dry_run_publishes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    again = Republisher(dry_run=True)
    asyncio.run(again.dead_letter(dead_letter(), EVENT))

    assert capsys.readouterr().out == "3:5: would publish desk/1 ticket.deleted 7 of desk\n"
    assert again.summary() == "would publish 1 event"


@pytest.mark.parametrize(
    "arguments", [(), ("1:2", "--reason", "invalid"), ("--reason", "invalid", "--file", "-"), ("1:2", "--file", "-")]
)
def test_republish_needs_exactly_one_selection(arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, ["rejected", "republish", *arguments])

    assert result.exit_code == 2
    assert "either places, or options" in result.output


def test_a_place_is_a_partition_and_an_offset() -> None:
    result = CliRunner().invoke(main, ["rejected", "show", "81442"])

    assert result.exit_code == 2
    assert "partition:offset" in result.output
