"""Policies that are usable and yet likely wrong: each rule warns of one such mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.documents.readers import under

if TYPE_CHECKING:
    from stream.documents.document import Report
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
