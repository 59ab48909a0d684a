"""The deployments of a worker for its page: what each changed, and how many tickets have still to meet it."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Final, NamedTuple

from stream.deployments.difference import difference
from stream.deployments.plan import plan_lines
from stream.observe.pages.views import DeploymentView
from stream.sla.policy.timeline import SINCE_EVER

if TYPE_CHECKING:
    from stream.deployments.log import Entry
    from stream.runtime.app import App
    from stream.runtime.partition.shard import Shard
    from stream.sla.policy.timeline import Deployments

LISTED_DEPLOYMENTS: Final = 20
"""The newest ones that the page lists."""
LISTED_CHANGES: Final = 100
"""Lines about what one deployment changed."""


class KnownDeployments(NamedTuple):
    """The deployments that the event loop knows at one instant. Nothing in it changes afterwards."""

    entries: tuple[Entry, ...]
    """The newest first."""
    remaining: tuple[int, ...]
    """By entry: the tickets that have still to meet it."""
    deployments: Deployments
    files_differ: bool


class DeploymentViews:
    """Puts deployments into words, each once."""

    def __init__(self) -> None:
        self._changes: dict[int, tuple[str, ...]] = {}

    def of(self, known: KnownDeployments) -> tuple[DeploymentView, ...]:
        """The newest deployments, the newest first."""
        in_force = known.deployments.timeline.place
        return tuple(
            DeploymentView(
                number=entry.number,
                since=None if entry.at == SINCE_EVER else entry.at,
                kind=entry.kind,
                by=entry.by,
                note=entry.note,
                fingerprint=entry.fingerprint,
                replaced=entry.number not in in_force,
                remaining=remaining,
                changes=self._changed(entry, known.deployments),
            )
            for entry, remaining in zip(known.entries, known.remaining, strict=True)
        )

    def _changed(self, entry: Entry, deployments: Deployments) -> tuple[str, ...]:
        found = self._changes.get(entry.number)
        if found is None:
            found = self._changes[entry.number] = _words(entry, deployments)
        return found


def known_to(app: App) -> KnownDeployments | None:
    """The deployments that a worker knows; ``None`` if it has one set of policies for ever. Only on the event loop."""
    follower = app.deployments
    if follower is None:
        return None
    entries = tuple(islice(reversed(follower.log.entries.values()), LISTED_DEPLOYMENTS))
    shards = app.shards()
    remaining = tuple(sum(_remaining(shard, entry.number) for shard in shards) for entry in entries)
    return KnownDeployments(entries, remaining, app.engine.deployments, follower.files != follower.newest.fingerprint)


def _remaining(shard: Shard, number: int) -> int:
    if shard.swept >= number:
        return 0
    return len(shard.tickets) if shard.sweep is None or shard.sweep.number < number else len(shard.sweep)


def _words(entry: Entry, deployments: Deployments) -> tuple[str, ...]:
    """The versions that are in force by this deployment and were not before it came."""
    policies = deployments.known[entry.number].policies
    before = deployments.known.get(entry.after)
    if before is None:
        return tuple(f"+ policy {name}" for name in dict.fromkeys(policy.name for policy in policies.policies))
    changed = replace(difference(before.policies, policies, entry.at), problems=())
    lines = list(takewhile(bool, plan_lines(changed)))  # the summary stands after an empty line
    more = len(lines) - LISTED_CHANGES
    return (*lines[:LISTED_CHANGES], f"and {more} more lines") if more > 0 else tuple(lines)
