"""Warns of commitments that are likely incomplete: without an objective, or with a target that leaves tickets out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from stream.documents.readers import listed, under
from stream.language.choices import stated
from stream.sla.policy.conditions import All, FieldIn, Not, leaves
from stream.sla.policy.resolve import conditions_of
from stream.sla.policy.satisfiability import example

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stream.documents.document import Report
    from stream.sla.policy.policy import Commitment, Policy


def warn_of_incomplete_commitments(policies: Sequence[tuple[Policy, object, Report]]) -> None:
    """Warn of the newest version of each policy. Of each policy: what was read, the data it was read from, and its report."""
    newest: dict[str, int] = {}
    for policy, _, _ in policies:
        newest[policy.name] = max(policy.version, newest.get(policy.name, 0))
    named = _values(policy for policy, _, _ in policies)
    for policy, data, warn in policies:
        if policy.version < newest[policy.name] or not isinstance(data, Mapping):
            continue
        for index, (commitment, written) in enumerate(zip(policy.commitments, data.get("commitments", ()), strict=True)):
            here = under(warn, "commitments", index)
            if commitment.target.cases:
                _objective(commitment, here)
                _left_out(policy, commitment, written["target"], here, named)


def _objective(commitment: Commitment, warn: Report) -> None:
    if commitment.objective is None and not commitment.metric.timer:
        warn(
            (),
            f"`{commitment.name}` has no `objective`: reports cannot tell whether enough of it is met, and each breach is an "
            "alert of its own; add the share that must be met, such as `objective: 95%`",
        )


def _left_out(policy: Policy, commitment: Commitment, target: object, warn: Report, named: Mapping[str, set[str]]) -> None:
    """Report tickets that get no target, unless the file gives them ``none``."""
    covered = stated(target)
    if example(All((policy.applies_to, commitment.when, *(Not(condition) for condition in covered)))) is None:
        return
    if not isinstance(target, Mapping):
        warn(
            ("target",), "promises nothing to some tickets: add a last case without `when`, or `{is: none}` if that is intended"
        )
        return
    field = str(target.get("by", "priority"))
    values = [key for key in target if key not in {"by", "default"}]
    others = sorted(named.get(field, set()) - {*values, ""})
    such = f"{'values' if len(others) > 1 else 'the value'} {listed(others)}" if others else "no value or another one"
    warn(
        ("target",),
        f"promises nothing to tickets whose `{field}` has {such}: add `default:`, or `default: none` if that is intended",
    )


def _values(policies: Iterable[Policy]) -> dict[str, set[str]]:
    """The values of each field that the policies name."""
    found: dict[str, set[str]] = {}
    for policy in policies:
        for leaf in (leaf for condition in conditions_of(policy) for leaf in leaves(condition)):
            if isinstance(leaf, FieldIn):
                found.setdefault(leaf.field, set()).update(leaf.values)
    return found
