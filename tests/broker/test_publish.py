"""``breachwatch publish`` on a real broker: what comes to stand on the topic of ticket events."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from click.testing import CliRunner, Result

from stream.cli.main import main
from stream.demo import feed as demo_feed
from stream.language.policies import load, shipped
from stream.wire.decode import Tick, decode
from stream.wire.effect import encode_event, encode_tick
from tests.broker.running import HOUR, SECOND, START, event, read

if TYPE_CHECKING:
    import pytest

    from stream.runtime.kafka.topics import Topics


def _publish(broker: str, topics: Topics, file: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["publish", str(file), "--broker", broker, "--topic-prefix", topics.prefix, *arguments])


def _file(folder: Path, *lines: bytes) -> Path:
    file = folder / "feed.jsonl"
    file.write_bytes(b"\n".join(lines) + b"\n")
    return file


def _created(ticket: str, at: int) -> bytes:
    return encode_event(ticket, event(ticket, "ticket.created", at))


def test_lines_are_published_as_they_are_in_their_order_keyed_by_their_ticket(
    broker: str, topics: Topics, tmp_path: Path
) -> None:
    lines = [
        _created("desk/1", START),
        b" " + _created("desk/2", START),
        encode_event("desk/1", event("desk/1", "ticket.deleted", START)),
    ]

    result = _publish(broker, topics, _file(tmp_path, *lines), "--no-tick")

    assert result.exit_code == 0, result.output
    records = read(broker, topics.events)
    assert sorted((r.key, r.value) for r in records) == sorted(
        [(b"desk/1", lines[0]), (b"desk/2", lines[1]), (b"desk/1", lines[2])]
    )
    assert [r.value for r in records if r.key == b"desk/1"] == [lines[0], lines[2]]
    assert "published 3 events and 0 ticks" in result.output


def test_at_the_end_every_partition_learns_how_far_the_feed_is(broker: str, topics: Topics, tmp_path: Path) -> None:
    file = _file(tmp_path, _created("desk/1", START + HOUR), _created("desk/2", START))

    assert _publish(broker, topics, file).exit_code == 0

    ticks = [r for r in read(broker, topics.events) if r.key is None]
    assert sorted(r.partition for r in ticks) == [0, 1, 2, 3]
    assert {decode(r.key, r.value, now=None) for r in ticks} == {Tick("publish", START + HOUR)}


def test_ticks_come_between_events_that_lie_apart_and_those_of_the_file_go_to_every_partition(
    broker: str, topics: Topics, tmp_path: Path
) -> None:
    file = _file(
        tmp_path, _created("desk/1", START), _created("desk/2", START + 150 * SECOND), encode_tick("desk", START + HOUR)
    )

    result = _publish(broker, topics, file, "--tick-every", "1h", "--no-tick")
    assert "2 events and 1 tick in" in result.output
    result = _publish(broker, topics, file, "--tick-every", "1m", "--no-tick")
    assert "2 events and 60 ticks" in result.output

    first = [r for r in read(broker, topics.events) if r.partition == 0 and r.key is None]
    assert len(first) == 61


def test_an_invalid_line_is_published_unchanged_for_the_worker_to_reject(broker: str, topics: Topics, tmp_path: Path) -> None:
    file = _file(tmp_path, b"nonsense", b'{"ticket": "desk/1"}', _created("desk/2", START))

    result = _publish(broker, topics, file, "--no-tick")

    assert "published 3 events, 2 of them invalid, and" in result.output
    assert sorted((r.key, r.value) for r in read(broker, topics.events))[:2] == [
        (b"", b"nonsense"),
        (b"desk/1", b'{"ticket": "desk/1"}'),
    ]


def test_with_refuse_it_stops_at_such_a_line_and_names_it(broker: str, topics: Topics, tmp_path: Path) -> None:
    file = _file(tmp_path, _created("desk/2", START), b"nonsense", _created("desk/3", START))

    result = _publish(broker, topics, file, "--refuse")

    assert result.exit_code == 1
    assert f"{file}:2: undecodable" in result.output


def test_a_paced_feed_waits_as_long_as_its_events_are_apart(broker: str, topics: Topics, tmp_path: Path) -> None:
    file = _file(tmp_path, _created("desk/1", START), _created("desk/2", START + 60 * SECOND))

    assert _publish(broker, topics, file, "--speed", "60", "--no-tick").exit_code == 0

    stamps = sorted(r.timestamp for r in read(broker, topics.events))
    assert stamps[1] - stamps[0] >= 990  # the broker's own stamps, milliseconds; one second at sixty times the speed


def test_the_feed_of_the_demo_is_published_by_its_name(broker: str, topics: Topics) -> None:
    result = _publish(broker, topics, Path("demo"))

    assert result.exit_code == 0, result.output
    feed = demo_feed.feed(load([shipped("batoi")]).calendars["batoi-office"])
    expected = Counter(record.value for record in feed for _ in range(4 if record.everywhere else 1))
    assert Counter(record.value for record in read(broker, topics.events)) == expected


def test_a_file_is_not_hidden_by_the_name_of_the_feed(
    broker: str, topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _file(tmp_path, _created("desk/1", START)).rename(tmp_path / "demo")
    monkeypatch.chdir(tmp_path)

    assert "published 1 event and" in _publish(broker, topics, Path("demo")).output
