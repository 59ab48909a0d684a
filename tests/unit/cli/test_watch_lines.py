"""``breachwatch watch``: which effects pass, and the line of each."""

from __future__ import annotations

from datetime import UTC
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner

from stream.cli.main import main
from stream.cli.watch import _Output
from stream.cli.watch_filter import EffectFilter, fields, kinds
from stream.cli.watch_view import LocalTime, effect_line
from stream.language.zones import read_tzinfo
from stream.sla.effects import Kind, ProvisionalReason, Reason
from stream.wire.effect import encode_effect
from stream.wire.instants import parse_instant
from stream.wire.printable import printable
from tests.effects import effect_of

AT = parse_instant("2026-03-09T04:00:00Z")


def passing(effect: Any, **parts: Any) -> bool:
    none: dict[str, Any] = {
        "kinds": frozenset(),
        "tickets": frozenset(),
        "policies": frozenset(),
        "fields": (),
        "late": None,
        "routine": True,
    }
    return EffectFilter(**(none | parts)).passes(effect)


def kinds_of(*texts: str) -> frozenset[Kind]:
    return kinds(click.Context(main), click.Option(["--type"]), texts)


def record(partition: int, timestamp: int, ticket: str) -> Any:
    value = encode_effect(effect_of(Kind.BREACHED, ticket=ticket))
    return SimpleNamespace(topic="sla-breaches", partition=partition, offset=timestamp, timestamp=timestamp, value=value)


@pytest.mark.parametrize(("at_once", "order"), [(False, "1 2 3 4"), (True, "1 3 4 2")])
def test_effects_of_all_partitions_are_in_order_when_all_are_there(
    at_once: bool, order: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    everything = EffectFilter(frozenset(), frozenset(), frozenset(), (), None, True)
    output = _Output(everything, lambda _, effect: effect.ticket.encode(), at_once=at_once)
    output.add([record(0, 4, "4"), record(0, 1, "1"), record(1, 3, "3")])
    output.add([record(1, 2, "2")])
    output.flush()

    assert capfdbinary.readouterr().out.split() == order.encode().split()


def test_an_effect_must_fulfil_every_part_by_any_of_its_values() -> None:
    effect = effect_of(Kind.BREACHED, ticket="desk/1", policy="shop", fields={"customer": "acme", "tags": ["vpn", "vip"]})

    assert passing(effect)
    assert passing(effect, tickets=frozenset({"desk/1", "desk/2"}), policies=frozenset({"shop"}))
    assert not passing(effect, tickets=frozenset({"desk/1"}), policies=frozenset({"bank"}))
    assert passing(effect, fields=fields((), ("acme",), ("tags=vip",)))
    assert not passing(effect, fields=fields(("p1",), ("acme",), ()))
    assert passing(effect, fields=fields((), ("acme", "other"), ()))


@pytest.mark.parametrize(("late", "wanted", "passes"), [(True, None, True), (True, False, False), (False, True, False)])
def test_what_is_late_is_shown_alone_or_left_out(late: bool, wanted: bool | None, passes: bool) -> None:
    assert passing(effect_of(Kind.BREACHED, late=late), late=wanted) is passes


def test_routine_effects_can_be_left_out() -> None:
    assert not passing(effect_of(Kind.STARTED, reason=Reason.CLOCK_STARTED), routine=False)
    assert passing(effect_of(Kind.BREACHED), routine=False)


def test_a_type_is_a_whole_name_its_end_or_a_pattern() -> None:
    assert kinds_of("commitment.breached", "met") == {Kind.BREACHED, Kind.MET}
    assert kinds_of("escalation.*") == {kind for kind in Kind if kind.startswith("escalation.")}
    assert Kind.BREACH_RETRACTED in kinds_of("*retracted")
    with pytest.raises(click.BadParameter, match=r"commitment\.warned"):
        kinds_of("breach")


def test_a_field_needs_a_name_and_a_value() -> None:
    with pytest.raises(click.BadParameter, match="name=value"):
        fields((), (), ("acme",))
    assert fields((), (), ("assignee=",)) == (("assignee", frozenset({""})),)


def test_the_line_of_a_breach_has_when_what_and_why() -> None:
    effect = effect_of(
        Kind.BREACHED, at=AT, due_at=AT, commitment="first_response", fields={"priority": "p2", "customer": "acme"}
    )

    assert effect_line(effect, LocalTime(read_tzinfo("Asia/Kolkata")), colour=False) == (
        "Mon 2026-03-09 09:30:00 IST  breached         desk/1  p2 acme  first_response  "
        "due Mon 2026-03-09 09:30:00 IST  target_passed"
    )


def test_a_line_states_the_team_the_roles_what_is_taken_back_and_every_doubt() -> None:
    effect = effect_of(
        Kind.RAISED,
        at=AT,
        detected_at=AT + 3_600_123_456,
        ladder="late",
        level="lead",
        assign_to="tier 2",
        notify=("team-lead", "duty"),
        retracts="abc",
        retracts_kind=Kind.RAISED,
        late=True,
        provisional=True,
        provisional_reason=ProvisionalReason.INPUT_LOST,
    )

    line = effect_line(effect, LocalTime(UTC), colour=False)

    for part in (
        "late lead",
        "assigned to tier 2",
        "notify team-lead, duty",
        "takes back escalation.raised abc",
        "detected 1:00:00 later",
        "  late",
        "provisional (input_lost)",
    ):
        assert part in line


def test_colour_is_that_of_the_kind_and_routine_effects_are_dim() -> None:
    assert "\x1b[31m\x1b[1mbreached" in effect_line(effect_of(Kind.BREACHED), LocalTime(UTC), colour=True)
    routine = effect_of(Kind.STARTED, reason=Reason.CLOCK_STARTED)
    assert "\x1b[2mstarted" in effect_line(routine, LocalTime(UTC), colour=True)


def test_what_a_ticket_contains_cannot_move_the_cursor_or_begin_a_line() -> None:
    effect = effect_of(Kind.BREACHED, ticket="desk/\x1b[2J1\n2026", fields={"customer": "a\u202eb"})

    line = effect_line(effect, LocalTime(UTC), colour=False)

    assert line.isprintable()
    assert "desk/\\x1b[2J1\\n2026" in line
    assert printable("größer \u2603") == "größer \u2603"
    assert printable("\ud800") == "\\ud800"


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (("--since", "yesterday"), "such as 2h, or begin"),
        (("--zone", "Mars/Base"), "Asia/Kolkata"),
        (("--type", "breach"), "commitment.breached"),
        (("--topic-prefix", "a b"), "part of a topic name"),
    ],
)
def test_a_wrong_option_is_an_error_with_what_is_right(arguments: tuple[str, ...], advice: str) -> None:
    result = CliRunner().invoke(main, ["watch", *arguments])

    assert result.exit_code == 2
    assert advice in " ".join(result.output.split())
