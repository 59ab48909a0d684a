"""Policies that are usable and yet likely wrong: each rule warns of one such mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.documents.readers import listed, under
from stream.sla.events import TICKET_FIELDS
from stream.sla.policy.conditions import FieldIn, fields_read, leaves
from stream.sla.policy.resolve import conditions_of
from stream.sla.policy.spelling import Spellings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stream.documents.document import Report
    from stream.sla.policy.conditions import Condition
    from stream.sla.policy.policy import Commitment, Policy


def warn_of(policy: Policy, warn: Report) -> None:
    """Warnings about a policy of which every part could be read, so that places in it are places in its file."""
    if policy.version > 1 and policy.since is None:
        warn(
            (),
            f"version {policy.version} has no `since`, so it holds for clocks that started at any time: "
            "give the instant from which it is promised",
        )
    for index, commitment in enumerate(policy.commitments):
        _cap_usable(commitment, under(warn, "commitments", index))


def warn_of_spellings(policies: Sequence[Policy], warn: Sequence[Report]) -> None:
    """Warn of each word that the policies write in several ways, at the first policy by which there are two.

    ``warn``: of each policy.
    """
    of_each = [conditions_of(policy) for policy in policies]
    for field, ways in Spellings([condition for conditions in of_each for condition in conditions]).several():
        found: set[str] = set()
        for conditions, here in zip(of_each, warn, strict=True):
            found |= _words(conditions, field) & {*ways}
            if len(found) > 1 or (found and not field and found.isdisjoint(TICKET_FIELDS)):
                kind = f"values of `{field}`" if field else "ticket fields"
                here((), f"{listed(ways)} are different {kind}, and differ in spelling alone: write one of them everywhere")
                break


def _words(conditions: Iterable[Condition], field: str) -> frozenset[str]:
    """The values that the conditions have for a field; ``""``: the fields that they have."""
    tests = [leaf for condition in conditions for leaf in leaves(condition)]
    if not field:
        return frozenset(name for test in tests for name in fields_read(test))
    return frozenset(value for test in tests if isinstance(test, FieldIn) and test.field == field for value in test.values)


def _cap_usable(commitment: Commitment, warn: Report) -> None:
    """An extension is granted only where it, the cap and the target run on one clock."""
    cap = commitment.extension_cap
    clocks = {target.clock for _, target in commitment.target.cases}
    if cap is not None and clocks and cap.clock not in clocks:
        (other,) = clocks
        warn(
            ("extensions", "cap"),
            f"`{cap.text}` is {cap.clock} time and every target {other} time: no extension can be granted",
        )
