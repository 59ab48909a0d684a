"""Deployments: which set of policies and calendars judges a ticket from which instant on.

A *deployment* is a complete set of policies and calendars with the instant ``at`` from which it holds. The log of deployments
is append-only, and a deployment's *number* is its place there. Its *timeline* follows from the log alone:

1. A deployment takes the place of every earlier one that holds from its own instant on, or from a later one. An ordinary
   deployment holds from now on, so nothing gives way to it. One that undoes or rejudges holds from an instant in the past.
2. What is left below a deployment never changes afterwards, unless the deployment itself gives way. So the number of the
   deployment that judges a ticket names everything that the ticket was judged by. A ticket keeps that one number.
3. Before the first deployment the first deployment holds: a ticket is never without one.
4. The fields that a deployment reads are kept of events from its instant on, and from no earlier one than that at which it was
   appended if it holds from an instant in the past. Workers know a deployment by then, so whether a field is kept depends on
   the event and the log, and not on which of them arrived first. A field that some deployment of the log reads is kept on.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from stream.sla.policy.change import Change, FormerNames, merged
from stream.sla.policy.skipped import Skipped
from stream.sla.ticket.bounds import NAMED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.sla.doubt import Doubts
    from stream.sla.policy.resolve import PolicySet
    from stream.sla.policy.skipped import Renames
    from stream.sla.ticket.state import Ticket

SINCE_EVER: Final = -(1 << 62)
"""The instant from which the first deployment holds."""
NEVER: Final = 1 << 61
"""Later than every instant (epoch microseconds)."""


_at = attrgetter("at")
_first = itemgetter(0)


class Origin(NamedTuple):
    """The log's entry for a deployment."""

    appended: int = 0
    """The time of its append to the log (epoch microseconds), which differs from that of another log; 0: it is in none."""
    rejudges: bool = False
    """It holds from an instant in the past: what time makes true by it up to now is a correction of the record."""


class Deployment:
    """One entry of the log. Never changed."""

    __slots__ = ("appended", "at", "before", "change", "former", "kept_from", "number", "policies", "rejudges")

    def __init__(
        self,
        number: int,
        at: int,
        policies: PolicySet,
        before: Deployment | None = None,
        origin: Origin = Origin(),  # noqa: B008  it is never changed
    ) -> None:
        """``policies``: as deployed. ``before``: the deployment that it follows on its timeline."""
        self.appended: Final = origin.appended
        self.rejudges: Final = origin.rejudges
        self.number: Final = number
        self.at: Final = at
        """From this instant on it holds (epoch microseconds)."""
        self.kept_from: Final = max(at, origin.appended) if origin.rejudges and at != SINCE_EVER else at
        """From this instant on the fields that it reads are kept of events."""
        self.before: Final[Deployment | None] = before
        self.policies: Final[PolicySet] = policies if before is None else merged(before.policies, policies)
        """The policies in force: as deployed, and with the versions of the same policies that earlier sets had."""
        self.change: Final[Change | None] = None if before is None else Change(before.policies, self.policies)
        """The difference from the set before; ``None`` for the first."""
        self.former: Final[FormerNames] = FormerNames(None if before is None else before.former, self.change, self.policies)
        """Names that events and what was decided may still use."""


class Timeline:
    """The deployments up to a certain one, in the order of their instants."""

    __slots__ = (
        "_changes",
        "_kept",
        "_kept_from",
        "deployments",
        "doubts",
        "known",
        "last",
        "newest_built",
        "place",
        "read",
    )

    def __init__(self, last: Deployment, known: Mapping[int, Deployment], doubts: Doubts = ()) -> None:
        """``known``: the whole log, by number. ``doubts``: of the partition whose tickets it judges."""
        self.last: Final = last
        self.known: Final = known
        self.doubts: Final = doubts
        self.read: Final = NAMED.union(*[deployment.policies.fields_read for deployment in known.values()])
        """The fields that some deployment of the whole log reads, and those that the contract names."""
        self._kept_from, self._kept = _kept(known)
        chain: list[Deployment] = []
        deployment: Deployment | None = last
        while deployment is not None:
            chain.append(deployment)
            deployment = deployment.before
        chain.reverse()
        self.deployments: Final = tuple(chain)
        self.place: Final = {deployment.number: place for place, deployment in enumerate(chain)}
        """By number."""
        built = [one.at for one in chain if one.change is not None and one.change.built]
        self.newest_built: Final = max(built, default=SINCE_EVER)
        """The instant of the newest deployment that builds stopwatches from the events of each ticket."""
        self._changes: Final[dict[tuple[int, int], Change]] = {}

    def change(self, number: int, deployment: Deployment) -> Change:
        """The changes by ``deployment`` for a ticket that deployment ``number`` judges.

        That one may have given way to it, and there may be others in between that the ticket does not meet.
        """
        before, known = deployment.before, deployment.change
        if known is not None and before is not None and before.number == number:
            return known
        found = self._changes.get((number, deployment.number))
        if found is None:  # asked for every ticket
            undone: list[Renames] = []
            gone: Deployment | None = self.known[number]
            while gone is not None and gone.number not in self.place:
                if gone.change is not None:
                    undone.append(gone.change.renames)
                gone = gone.before
            first = 0 if gone is None else self.place[gone.number] + 1
            skipped = self.deployments[first : self.place[deployment.number]]
            done = [one.change.renames for one in skipped if one.change is not None]
            found = Change(self.known[number].policies, deployment.policies, Skipped(undone, done))
            self._changes[number, deployment.number] = found
        return found

    def kept(self, at: int) -> frozenset[str]:
        """The fields that policies read and that are kept of an event at that instant (epoch microseconds)."""
        instants = self._kept_from
        return self._kept[-1] if at >= instants[-1] else self._kept[max(bisect_right(instants, at) - 1, 0)]

    def after(self, number: int) -> Deployment | None:
        """The deployment that follows that one. Raises KeyError for a number that is not on this timeline."""
        place = self.place[number] + 1
        return self.deployments[place] if place < len(self.deployments) else None

    def agrees(self, number: int, until: int) -> bool:
        """Whether a ticket that deployment ``number`` judges was judged by this timeline up to and at an instant."""
        if number == self.last.number:
            return True
        if number not in self.place:
            return False
        following = self.after(number)
        return following is None or following.at > until

    def touches(self, ticket: Ticket, until: int) -> bool:
        """Whether a deployment that the ticket has not met yet and that holds before ``until`` may change anything about it.

        The ticket must be judged by this timeline, or by a deployment that gave way.
        """
        place = self.place.get(ticket.deployment)
        if place is None or not ticket.started:
            return True
        for deployment in self.deployments[place + 1 :]:
            if deployment.at >= until:
                return False
            if deployment.change is None or deployment.change.touches(ticket):
                return True
        return False

    def in_force(self, at: int) -> Deployment:
        """The deployment that holds at an instant (epoch microseconds)."""
        return self.deployments[max(bisect_right(self.deployments, at, key=_at) - 1, 0)]


def _kept(known: Mapping[int, Deployment]) -> tuple[tuple[int, ...], tuple[frozenset[str], ...]]:
    """Instants in their order, and the fields that are kept from each of them on."""
    instants: list[int] = []
    kept: list[frozenset[str]] = []
    fields: frozenset[str] = frozenset()
    for at, read in sorted([(one.kept_from, one.policies.fields_read) for one in known.values()], key=_first):
        if not read <= fields or not instants:
            fields = fields | read
            instants.append(at)
            kept.append(fields)
    return tuple(instants), tuple(kept)


class Deployments:
    """The whole log, with its present timeline. Never changed: ``add`` gives another."""

    __slots__ = ("_timelines", "doubts", "known", "timeline")

    def __init__(self, known: Mapping[int, Deployment], last: Deployment, doubts: Doubts = ()) -> None:
        """``doubts``: of the partition whose tickets they judge."""
        self.known: Final = known
        self.doubts: Final = doubts
        self.timeline: Final = Timeline(last, known, doubts)
        self._timelines: Final[dict[int, Timeline]] = {}

    @staticmethod
    def fixed(policies: PolicySet, number: int = 0, origin: Origin = Origin()) -> Deployments:  # noqa: B008
        """One set, which holds since ever."""
        first = Deployment(number, SINCE_EVER, policies, None, origin)
        return Deployments({number: first}, first)

    def add(self, number: int, at: int, policies: PolicySet, origin: Origin = Origin()) -> Deployments:  # noqa: B008
        """With one deployment more, the newest of the log. Raises ValueError for a number that is not above all before it."""
        if number <= max(self.known):
            raise ValueError(f"deployment {number} does not follow deployment {max(self.known)}")
        before: Deployment | None = self.timeline.last
        while before is not None and before.at >= at:
            before = before.before
        added = Deployment(number, SINCE_EVER if before is None else at, policies, before, origin)
        return Deployments({**self.known, number: added}, added, self.doubts)

    def until(self, number: int) -> Deployments:
        """The log as it was when it had no deployment after that number; at least the first."""
        number = max(number, min(self.known))
        known = {other: deployment for other, deployment in self.known.items() if other <= number}
        return Deployments(known, known[max(known)], self.doubts)

    def doubting(self, doubts: Doubts) -> Deployments:
        """The same log, for the tickets of a partition with these doubts."""
        return Deployments(self.known, self.timeline.last, doubts)

    def timeline_of(self, number: int) -> Timeline:
        """The timeline as it was when that deployment was the newest. Raises KeyError for a number that is not in the log."""
        if number == self.timeline.last.number:
            return self.timeline
        found = self._timelines.get(number)
        if found is None:  # asked for every ticket, after one that gave way
            found = self._timelines[number] = Timeline(self.known[number], self.known, self.doubts)
        return found
