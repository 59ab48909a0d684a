"""A backtest on several processes writes the same bytes as on one."""

from __future__ import annotations

import codecs
import gzip
import json
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from stream.cli.main import main
from stream.language.policies import load, shipped
from stream.runtime.backtest import Backtest
from stream.runtime.backtest_slice import Slice
from stream.runtime.outcome_changes import OutcomeChanges
from stream.sla.engine import Engine
from stream.sla.events import Event, EventType
from stream.sla.feed_state import FeedState
from stream.sla.playback import Playback
from stream.wire.decode import Tick, read
from stream.wire.effect import decode_effect, encode_effect, encode_event, encode_tick
from stream.wire.incoming import Incoming
from stream.wire.instants import format_instant
from stream.wire.lines import Block

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stream.runtime.outcomes import Outcomes
    from stream.sla.effects import Effect

MINUTE = 60_000_000
START = 1_763_000_000_000_000
DUE = START + 24_400_000_000
"""The first answer to a ticket of the policy `starter` with priority p1."""
FIELDS = {"contract": "priority-support", "sender": "registered"}


def feed(seed: int, tickets: int = 60, *, states: bool = False) -> list[bytes]:
    """Lives of tickets, some events late and some twice, many at the same instants, with ticks and invalid lines.

    ``states``: ticks state that the feed lags behind, or is complete.
    """
    dice = Random(seed)
    lines: list[tuple[float, bytes]] = []

    def add(ticket: str, at: int, number: int, type_: object, **more: object) -> None:
        event = Event(at=at, id=f"{ticket}-{number}", type=type_, source="desk", **more)  # type: ignore[arg-type]
        line = encode_event(ticket, event)
        for _ in range(1 + (dice.random() < 0.1)):
            delay = dice.uniform(0, 600) * MINUTE if dice.random() < 0.2 else 0
            lines.append((at + delay, line))

    for number in range(tickets):
        # On the minute, so that deadlines of several tickets come at one instant.
        ticket, at = f"desk/{number}", START + dice.randrange(2_000) * MINUTE
        fields = FIELDS | {"priority": f"p{dice.randrange(1, 5)}", "channel": dice.choice(("chat", "email", "phone"))}
        add(ticket, at, 0, "ticket.created", fields=fields, actor="customer")
        for step in range(1, dice.randrange(2, 9)):
            at += dice.randrange(300) * MINUTE
            if dice.random() < 0.5:
                add(ticket, at, step, "comment.added", actor=dice.choice(("agent", "customer")), public=True)
            else:
                add(ticket, at, step, "ticket.changed", fields={"status": dice.choice(("open", "pending", "solved"))})
    lines += [
        (START + dice.randrange(3_000) * MINUTE, line) for line in (b"not JSON", b'{"ticket": "desk/1"}') for _ in range(9)
    ]
    lines += [(at, encode_tick("desk", at)) for at in (START + dice.randrange(4_000) * MINUTE for _ in range(20))]
    if states:
        lines.append((START, encode_tick("desk", START, FeedState.LAGGING)))
        for _ in range(40):
            at, behind = START + dice.randrange(4_000) * MINUTE, dice.choice((0, 0, 1, 400)) * MINUTE
            lines.append((at, encode_tick("desk", at - behind, FeedState.LAGGING if behind else FeedState.COMPLETE)))
    return [line for _, line in sorted(lines, key=lambda one: one[0])]


def one_after_the_other(lines: Sequence[bytes], until: int, history: int = 200) -> bytes:
    """The effects of a single playback: what a backtest must write."""
    playback = Playback(Engine(load([shipped("batoi")]), history=history))
    effects: list[Effect] = []
    for line in lines:
        record = read(line.rstrip(b"\r"))
        if isinstance(record, Incoming):
            effects += playback.event(record.ticket, record.event)
        elif isinstance(record, Tick):
            effects += playback.tick(record.at, record.source, record.state)
    effects += playback.tick(until)
    return b"".join(encode_effect(effect) + b"\n" for effect in effects)


def in_blocks(lines: Sequence[bytes], size: int = 50) -> list[Block]:
    """The engine's time goes on from one block to the next."""
    starts = range(0, len(lines), size)
    return [Block(start + 1, b"".join(line + b"\n" for line in lines[start : start + size])) for start in starts]


def in_slices(count: int, lines: Sequence[bytes], until: int, history: int = 200) -> tuple[bytes, list[tuple[int, str]]]:
    engines = [Engine(load([shipped("batoi")]), history=history) for _ in range(count)]
    test = Backtest([Slice(engine, number=number, of=count) for number, engine in enumerate(engines)], ahead=count - 1)
    parts = list(test.run(in_blocks(lines), until))
    return b"".join(part.output for part in parts), [(number, why) for part in parts for number, why in part.refusals]


@pytest.mark.parametrize("seed", range(6))
def test_any_division_of_the_tickets_gives_the_same_output(seed: int) -> None:
    lines, until = feed(seed), START + 5_000 * MINUTE
    plain = one_after_the_other(lines, until)
    assert plain.count(b"commitment.breached") > 10
    whole = in_slices(1, lines, until)
    assert whole[0] == plain
    assert in_slices(2, lines, until) == whole
    assert in_slices(5, lines, until) == whole


SAME = {"type": "ticket.changed", "source": "desk", "fields": {"status": "open"}}


def odd_lines() -> list[bytes]:
    """Valid and invalid lines with the ticket in other forms, in other places, twice, and beside what must be rewritten."""
    at, later = (format_instant(START + hours * 60 * MINUTE) for hours in (1, 2))
    bytes_at = at.encode()
    return [
        json.dumps(SAME | {"id": "a", "at": at, "ticket": "desk/1"}, indent=None, separators=(" , ", " : ")).encode(),
        b'{"tick\\u0065t":"desk/2","at":"%s","type":"ticket\\u002echanged","id":"b","source":"desk","fields":{}}' % bytes_at,
        b'{"ticket":"desk/1","at":"%s","type":"ticket.changed","id":"c","source":"desk","fields":{},"ticket":"desk/3"}'
        % at.encode(),
        json.dumps(SAME | {"id": "d", "at": "2025-11-14T23:59:60Z", "ticket": "desk/4"}).encode(),
        json.dumps(SAME | {"id": "e", "at": at, "ticket": "desk/5", "huge": 10**400}).encode(),
        json.dumps(SAME | {"id": "f", "at": at, "ticket": "ü/6"}, ensure_ascii=False).encode(),
        json.dumps(SAME | {"id": "f", "at": at, "ticket": "ü/6"}).encode(),
        json.dumps(SAME | {"id": "g", "at": at, "ticket": "desk/7", "fields": {"ticket": "desk/1", "status": "x"}}).encode(),
        json.dumps({"type": "feed.tick", "source": "desk", "at": later, "ticket": "desk/8", "state": "complete"}).encode(),
        json.dumps(SAME | {"id": "h", "at": at, "ticket": 9}).encode(),
        b'{"ticket":"desk/9","type":"ticket.changed","id":"i","at":"%s","source":"\xff"}' % bytes_at,
        b'{"ticket":"\\ud800","type":"ticket.changed"}',
        b"\t \r",
        b"[]\r",
    ]


@pytest.mark.parametrize("seed", range(3))
def test_odd_lines_get_to_the_slice_of_their_ticket(seed: int) -> None:
    dice, lines, until = Random(seed), feed(seed), START + 5_000 * MINUTE
    for line in odd_lines() * 2:
        lines.insert(dice.randrange(len(lines)), line)
    whole = in_slices(1, lines, until)
    assert whole[0] == one_after_the_other(lines, until)
    assert len(whole[1]) == 18 + 2 * 5
    for count in (2, 3, 7):
        assert in_slices(count, lines, until) == whole


@pytest.mark.parametrize("seed", range(3))
def test_any_division_confirms_the_same_when_the_feed_is_complete_again(seed: int) -> None:
    lines, until = feed(seed, states=True), START + 5_000 * MINUTE
    plain = one_after_the_other(lines, until)
    assert plain.count(b'"provisional_reason":"feed_lagging"') > 5
    assert plain.count(b'"cause":"feed:desk"') > 5
    assert in_slices(1, lines, until)[0] == plain
    assert in_slices(5, lines, until)[0] == plain


def test_events_that_arrive_too_late_are_refused_in_any_slice() -> None:
    lines, until = feed(1), START + 5_000 * MINUTE
    output, refusals = in_slices(3, lines, until, history=2)
    assert (output, refusals) == in_slices(1, lines, until, history=2)
    assert output == one_after_the_other(lines, until, history=2)
    reasons = {text.partition(":")[0] for _, text in refusals}
    assert reasons == {"too_late", "undecodable", "invalid"}
    assert [line for line, _ in refusals] == sorted(line for line, _ in refusals)


def test_another_fact_with_a_known_identity_is_refused_with_its_line() -> None:
    first, other = (Event(START, "e1", "ticket.created", "desk", fields={"priority": priority}) for priority in ("p1", "p2"))
    lines = [encode_event("desk/1", what) for what in (first, other, first)]

    _, refusals = in_slices(2, lines, START + MINUTE)

    ((number, text),) = refusals
    assert number == 2
    assert text.startswith("conflict: 'desk' has published another event of this ticket with the id 'e1' and seq 0")


def test_the_command_writes_the_same_on_one_process_and_on_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.wire.lines.BLOCK", 5_000)  # more blocks than are in progress at a time
    lines = feed(3)
    recorded = tmp_path / "recorded.jsonl"
    recorded.write_bytes(b"\n".join(lines) + b"\n")

    def replayed(jobs: str) -> tuple[bytes, str]:
        arguments = ["replay", str(recorded), "--policies", "batoi", "--until", "2025-11-20T00:00:00Z", "--jobs", jobs]
        done = CliRunner().invoke(main, arguments, catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout_bytes, done.stderr

    alone = replayed("1")
    assert alone[0] == one_after_the_other(lines, 1_763_596_800_000_000)
    assert "60 tickets, 0 without a commitment; events: " in alone[1]
    assert replayed("2") == alone


def replay_of(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["replay", *map(str, arguments), "--policies", "starter"])


def test_a_missing_or_damaged_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    whole = gzip.compress(b"\n".join(feed(3)))
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])

    missing, cut = replay_of(tmp_path / "none.jsonl"), replay_of(tmp_path / "cut.jsonl.gz")

    assert missing.exit_code == 2
    assert "none.jsonl' does not exist" in missing.stderr
    assert cut.exit_code == 1
    assert "cut.jsonl.gz: the file is damaged or cut short" in cut.stderr


@pytest.mark.parametrize("options", [(), ("--jobs", 2), ("--compare", "starter")])
def test_a_file_of_which_every_line_is_refused_is_an_error(options: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "feed.jsonl").write_bytes(b"\n".join(feed(1)))
    (tmp_path / "ticks.jsonl").write_bytes(b"not JSON\n" + encode_tick("desk", START))
    (tmp_path / "policy.yaml").write_text("\npolicies:\n\n  - policy: shop\n  \n", "utf-8")

    assert replay_of(tmp_path / "feed.jsonl", *options).exit_code == 0
    assert replay_of(tmp_path / "ticks.jsonl", *options).exit_code == 0
    found = replay_of(tmp_path / "policy.yaml", *options)

    assert found.exit_code == 1
    assert "policy.yaml: every line is refused, so nothing was replayed" in found.stderr


def test_a_history_of_one_event_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "feed.jsonl").write_bytes(b"")

    assert "'--history': 1 is not in the range" in replay_of(tmp_path / "feed.jsonl", "--history", 1).stderr


@pytest.mark.parametrize(("limit", "provisional"), [("1m", True), ("1h", False)])
def test_the_limit_of_a_feeds_lag_is_that_of_the_workers(limit: str, provisional: bool, tmp_path: Path) -> None:
    lines = [
        encode_event("desk/1", Event(at=START, id="1", type="ticket.created", source="desk", fields={"priority": "p1"})),
        *(
            json.dumps({"type": "feed.tick", "source": source, "at": format_instant(at), "state": "complete"}).encode()
            for source, at in (("desk", DUE - 1_800_000_000), ("other", DUE + 600_000_000))
        ),
    ]
    (tmp_path / "feed.jsonl").write_bytes(b"\n".join(lines))

    done = replay_of(tmp_path / "feed.jsonl", "--feed-lag-limit", limit)

    breaches = [effect for effect in map(json.loads, done.stdout.splitlines()) if effect["type"] == "commitment.breached"]
    assert breaches
    assert [effect.get("provisional", False) for effect in breaches] == [provisional] * len(breaches)


def test_a_byte_order_mark_is_not_part_of_the_first_line(tmp_path: Path) -> None:
    event = Event(at=START, id="1", type="ticket.created", source="desk", fields={"priority": "p1"})
    (tmp_path / "feed.jsonl").write_bytes(codecs.BOM_UTF8 + encode_event("desk/1", event) + b"\r\n")

    done = replay_of(tmp_path / "feed.jsonl")

    assert "1 ticket, 0 without a commitment; events: 1 applied; refused: none" in done.stderr


def outcomes(lines: Sequence[bytes], until: int) -> Outcomes:
    engine = Engine(load([shipped("batoi")]), history=10_000)
    test = Backtest([Slice(engine)])
    for _ in test.run(in_blocks(lines), until):
        pass
    return +test.totals().commitments


@pytest.mark.parametrize("seed", range(6))
def test_the_summary_does_not_depend_on_the_order_of_arrival(seed: int) -> None:
    lines, until = feed(seed), START + 5_000 * MINUTE
    events = [(record.event.key, line) for line in lines if isinstance(record := read(line), Incoming)]
    in_order = [line for _, line in sorted(events)]

    assert outcomes(lines, until) == outcomes(in_order, until)


def test_a_comparison_lists_each_commitment_with_another_outcome(tmp_path: Path) -> None:
    recorded = tmp_path / "recorded.jsonl"
    body = (
        "policies: [{policy: desk, version: 1, applies_to: {customer: CUSTOMERS}, calendar: 24x7, commitments: "
        "[{metric: resolution, target: TARGET}]}]"
    )
    for name, customers, target in (("old", "acme", "4h"), ("new", "[acme, globex]", "1h")):
        (tmp_path / f"{name}.yaml").write_text(body.replace("CUSTOMERS", customers).replace("TARGET", target))
    hour = 60 * MINUTE

    def event(ticket: str, at: int, **fields: str | list[str]) -> bytes:
        kind: EventType = "ticket.changed" if at else "ticket.created"
        return encode_event(ticket, Event(at=START + at, id=f"{ticket}-{at}", type=kind, source="desk", fields=fields))

    lines = [event(name, 0, customer="acme", priority="p1") for name in ("quick", "slow", "again", "never")]
    lines += [event("other", 0, customer="globex", priority="p2")]
    lines += [event(name, hour // 2, status="solved") for name in ("quick", "again")]
    lines += [event("again", hour // 2 + MINUTE, status="open"), event("slow", 2 * hour, status="solved"), b"not JSON"]
    lines += [event("again", 3 * hour, status="solved"), encode_tick("desk", START + 5 * hour)]
    recorded.write_bytes(b"\n".join(lines))
    arguments = ["replay", str(recorded), "--policies", str(tmp_path / "old.yaml"), "--compare", str(tmp_path / "new.yaml")]

    done = CliRunner().invoke(main, [*arguments, "--summary", "json"])
    table = CliRunner().invoke(main, arguments)

    assert done.exit_code == 0, done.stderr
    assert [
        (change["ticket"], *((side and side["outcome"]) for side in (change["before"], change["after"])))
        for change in map(json.loads, done.stdout.splitlines())
    ] == [("again", "met", "breached"), ("other", None, "breached"), ("slow", "met", "breached")]
    summary = json.loads(done.stderr.splitlines()[-1])
    assert (summary["commitments"], summary["changed"]) == (5, 3)
    assert summary["rows"][0] == {
        "policy": "desk",
        "commitment": "resolution",
        "priority": "p1",
        "before": {"met": 3, "breached": 1, "cancelled": 0, "open": 0, "not_counted": 0, "met_share": 0.75},
        "after": {"met": 1, "breached": 3, "cancelled": 0, "open": 0, "not_counted": 0, "met_share": 0.25},
        "changed": 2,
    }
    assert "desk    resolution  p1        3 -> 1    1 -> 3          0     0            0  75.0 -> 25.0        2" in table.stderr
    assert table.stderr.count("not JSON") + table.stderr.count("recorded.jsonl:10: ") == 1
    assert CliRunner().invoke(main, [*arguments, "--jobs", "2"]).stdout == table.stdout
    assert "cannot be standard input" in CliRunner().invoke(main, ["replay", "-", *arguments[2:]]).stderr


@pytest.mark.parametrize("seed", range(3))
def test_a_comparison_counts_outcomes_as_a_summary_does(seed: int) -> None:
    lines, until = feed(seed), START + 5_000 * MINUTE
    changes = OutcomeChanges()
    test = Backtest([Slice(Engine(load(["batoi"])))])
    for part in test.run(in_blocks(lines), until):
        changes.after(map(decode_effect, part.output.splitlines()))
    compared = Counter((one.after.outcome, one.before) for one in changes.cycles() if one.after is not None)

    summary = Counter[str]()
    for (_, outcome), count in test.totals().commitments.items():
        summary[outcome] += count
    assert compared[("breached", None)] == summary["breached"]
    assert compared[("met", None)] == summary["met"]


def test_a_summary_counts_what_became_of_each_commitment(tmp_path: Path) -> None:
    recorded, policy = tmp_path / "recorded.jsonl", tmp_path / "policy.yaml"
    policy.write_text(
        "policies: [{policy: desk, version: 1, applies_to: {customer: acme}, calendar: 24x7, commitments: "
        "[{metric: resolution, target: 1h}]}]"
    )
    hour = 60 * MINUTE

    def event(ticket: str, at: int, **fields: str | list[str]) -> bytes:
        kind: EventType = "ticket.changed" if at else "ticket.created"
        return encode_event(ticket, Event(at=START + at, id=f"{ticket}-{at}", type=kind, source="desk", fields=fields))

    tickets = {name: event(name, 0, customer="acme", priority="p1") for name in ("met", "late", "open", "reopened", "breached")}
    lines = [*tickets.values(), event("other", 0, customer="globex")]
    lines += [event(name, hour // 2, status="solved") for name in ("met", "reopened")]
    lines += [event("reopened", hour // 2 + MINUTE, status="open"), event("late", 2 * hour, status="solved")]
    lines += [event("open", 2 * hour, customer="globex"), encode_tick("desk", START + 3 * hour), b"not JSON"]
    recorded.write_bytes(b"\n".join(lines))

    done = CliRunner().invoke(main, ["replay", str(recorded), "--policies", str(policy), "--summary", "json"])

    summary = json.loads(done.stderr.splitlines()[-1])
    assert summary["commitments"] == [
        {
            "policy": "desk",
            "commitment": "resolution",
            "priority": "p1",
            "met": 1,
            "breached": 4,
            "met_late": 1,
            "cancelled": 0,
            "open": 0,
            "met_share": 0.2,
        }
    ]
    assert (summary["tickets"], summary["unmatched"], summary["refused"]) == (6, 1, {"undecodable": 1})
