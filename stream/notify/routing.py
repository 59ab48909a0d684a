"""Selects the destinations of an effect. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from stream.notify.rules import Match, Rules
    from stream.sla.effects import Effect


class Routed(NamedTuple):
    """The destinations of an effect."""

    destinations: tuple[str, ...]
    """Each once, in the order of the routes."""
    unheld: tuple[str, ...]
    """Roles that the effect names and nobody holds, though a route asks for their holders."""


def route(rules: Rules, effect: Effect) -> Routed:
    """The destinations of a new effect. An effect that takes another one back goes to the destinations of that one, whatever
    the routes are."""
    found: dict[str, None] = {}
    unheld: dict[str, None] = {}
    for each in rules.routes:
        left_out = (effect.late and not each.late) or (effect.provisional and not each.provisional)
        if left_out or not matches(each.match, effect):
            continue
        found.update(dict.fromkeys(each.to))
        if each.to_roles:
            for role in effect.notify:
                holders = _holder(rules, role, effect)
                found.update(dict.fromkeys(holders))
                if not holders:
                    unheld[role] = None
        if each.last:
            break
    return Routed(tuple(found), tuple(unheld))


def matches(match: Match, effect: Effect) -> bool:
    return (
        effect.kind in match.kinds
        and (not match.policies or effect.policy in match.policies)
        and (not match.commitments or effect.commitment in match.commitments)
        and (not match.ladders or effect.ladder in match.ladders)
        and (not match.levels or effect.level in match.levels)
        and (not match.roles or not match.roles.isdisjoint(effect.notify))
        and (match.page is None or match.page is effect.page)
        and _has(effect, match.fields)
    )


def _holder(rules: Rules, role: str, effect: Effect) -> tuple[str, ...]:
    return next((each.to for each in rules.holders if each.role == role and _has(effect, each.fields)), ())


def _has(effect: Effect, fields: tuple[tuple[str, frozenset[str]], ...]) -> bool:
    for name, values in fields:
        value = effect.fields.get(name, "")
        if (value not in values) if isinstance(value, str) else values.isdisjoint(value):
            return False
    return True
