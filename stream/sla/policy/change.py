"""The changes from one set of policies to another: names, metrics, and versions that a newer set leaves out.

Rules:

1. Versions of a policy are the union over all deployments. A version that the newer set leaves out keeps its range, also for
   clocks that start later. A version with the same number is a correction and takes the place of the older one.
2. A policy without any version in the newer set is withdrawn.
3. ``was`` makes a policy, commitment, ladder or level the same thing under a new name.
4. A metric whose conditions changed has another name (``stream.sla.policy.metric.metric_name``). It *continues* the
   metric on which the same commitment or ladder stood before, if both have the same base. Any other metric that was not kept
   before is *built* from the events of the ticket.

Longer than 250 lines because one comparison of two sets answers all questions about them, and computes each answer once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from stream.sla.policy.conditions import ALWAYS
from stream.sla.policy.metric import base_name
from stream.sla.policy.policy import Choice
from stream.sla.policy.resolve import PolicySet
from stream.sla.policy.skipped import Renames, Skipped
from stream.sla.ticket.commitment_state import PENDING
from stream.sla.ticket.escalation_state import MONITORING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stream.sla.policy.metric import Metric
    from stream.sla.policy.policy import Ladder, Policy
    from stream.sla.policy.resolve import ResolvedCommitment, ResolvedLadder, ResolvedPolicy
    from stream.sla.ticket.state import Ticket

_NO_ROWS: Final = frozenset[str]()
_NO_CHOICE: Final[Choice[Any]] = Choice(())


def merged(before: PolicySet, after: PolicySet) -> PolicySet:
    """``after``, with the versions of its policies that only ``before`` has (rule 1); ``after`` itself if there are none."""
    had: dict[str, str] = {}
    versions: dict[str, set[int]] = {}
    for policy in after.policies:
        versions.setdefault(policy.name, set()).add(policy.version)
        if policy.was:
            had[policy.was] = policy.name
    kept: list[Policy] = []
    for policy in before.policies:
        name = policy.name if policy.name in versions else had.get(policy.name, "")
        if name and policy.version not in versions[name]:
            kept.append(policy if name == policy.name else replace(policy, name=name))
    if not kept:
        return after
    calendars = {name: calendar for name, calendar in before.calendars.items() if name not in after.calendars}
    wanted = {name for policy in kept for name in _calendars_of(policy)}
    return PolicySet(
        (*after.policies, *kept),
        {**after.calendars, **{name: calendar for name, calendar in calendars.items() if name in wanted}},
    )


class Change:
    """From one set in force to the next. Names are those of the newer set unless they are called old."""

    __slots__ = (
        "_after",
        "_before",
        "_differences",
        "_former",
        "_same_calendars",
        "_touches_all",
        "built",
        "built_set",
        "commitments",
        "continued",
        "ladders",
        "levels",
        "policies",
        "withdrawn",
    )

    def __init__(self, before: PolicySet, after: PolicySet, skipped: Skipped | None = None) -> None:
        """``skipped``: what other deployments renamed on the way from ``before`` to ``after``; ``None``: there are none."""
        self._before = before
        self._after = after
        self._differences: dict[tuple[int, int], tuple[ResolvedPolicy, ResolvedPolicy, frozenset[str]]] = {}
        """Answers of ``_differing``, by the identity of the two, which stay alive here."""
        self._same_calendars: Final = frozenset(
            name
            for name, calendar in before.calendars.items()
            if name in after.calendars
            and (calendar is after.calendars[name] or calendar.content == after.calendars[name].content)
        )
        """Names of the calendars that are as they were."""
        names = {policy.name for policy in after.policies}
        self.policies: Final = {policy.was: policy.name for policy in after.policies if policy.was and policy.was not in names}
        """Old name to new name of the policies that were renamed."""
        self.commitments: Final[dict[tuple[str, str], str]] = {}
        """Policy and old name to new name of the commitments that were renamed."""
        self.ladders: Final[dict[tuple[str, str], str]] = {}
        """Policy and old name to new name of the ladders that were renamed."""
        self.levels: Final[dict[tuple[str, str], dict[str, str]]] = {}
        """Policy and ladder to the old and the new names of its levels that were renamed."""
        for policy in after.policies:
            for commitment in policy.commitments:
                if commitment.was:
                    self.commitments[policy.name, commitment.was] = commitment.name
            for ladder in policy.ladders:
                if ladder.was:
                    self.ladders[policy.name, ladder.was] = ladder.name
                renamed = {level.was: level.name for level in ladder.levels if level.was}
                if renamed:
                    self.levels[policy.name, ladder.name] = renamed
        if skipped is not None:
            self._follow(skipped)
        self.withdrawn: Final = frozenset(
            policy.name for policy in before.policies if policy.name not in names and policy.name not in self.policies
        )
        """Old names of the policies that are gone."""
        self.continued: Final[dict[str, str]] = {}
        """Name of a metric to that of the one that it continues."""
        for name, metric, old_metric in self._metrics(before, after):
            if name not in before.triggers and name not in self.continued and old_metric is not None:
                same = "/" in base_name(name) or base_name(name) == base_name(old_metric.name)
                if same and metric.timer is old_metric.timer:
                    self.continued[name] = old_metric.name
        self.built: Final = tuple(name for name in after.triggers if name not in before.triggers and name not in self.continued)
        """Metrics that are to be built from the events of each ticket."""
        self.built_set: Final = PolicySet((), {}, tuple(after.triggers[name].metric for name in self.built))
        """A set that keeps these metrics and has no commitments."""
        self._touches_all: Final = bool(self.policies or self.withdrawn or self.continued or self.built)
        """Whether metrics or policies are other than before, so that every ticket may be concerned."""
        self._former: Final = frozenset(
            [old for _, old in (*self.commitments, *self.ladders)] + [old for names in self.levels.values() for old in names]
        )
        """Former names of commitments, ladders and levels, of any policy."""

    @property
    def renames(self) -> Renames:
        """All that has another name."""
        return Renames(self.policies, self.commitments, self.ladders, self.levels)

    def _follow(self, skipped: Skipped) -> None:
        """The new names of things in ``before``: their names after the skipped deployments, if ``after`` has that name and not
        the other."""
        versions: dict[str, list[Policy]] = {}
        for policy in self._after.policies:
            versions.setdefault(policy.name, []).append(policy)
        for old in self._before.policies:
            former = skipped.policy(old.name)
            name = self.policies.get(former, former)
            if old.name not in versions and name in versions:
                self.policies[old.name] = name
            after = versions.get(self.policy(old.name), [])
            if not after:
                continue
            name = after[0].name
            commitments = {commitment.name for policy in after for commitment in policy.commitments}
            for commitment in old.commitments:
                former = skipped.commitment(old.name, commitment.name)
                former = self.commitment(name, former)
                if commitment.name not in commitments and former in commitments:
                    self.commitments[name, commitment.name] = former
            ladders = {ladder.name: ladder for policy in after for ladder in policy.ladders}
            for ladder in old.ladders:
                former = self.ladder(name, skipped.ladder(old.name, ladder.name))
                if ladder.name not in ladders and former in ladders:
                    self.ladders[name, ladder.name] = former
                found = ladders.get(self.ladder(name, ladder.name))
                if found is not None:
                    self._follow_levels(skipped, old.name, ladder, (name, found))

    def _follow_levels(self, skipped: Skipped, policy: str, old: Ladder, present: tuple[str, Ladder]) -> None:
        """``present``: the name of the policy, and the ladder that ``old`` is in it."""
        name, ladder = present
        levels, renamed = {level.name for level in ladder.levels}, self.levels.get((name, ladder.name), {})
        for level in old.levels:
            former = skipped.level(policy, old.name, level.name)
            former = renamed.get(former, former)
            if level.name not in levels and former in levels:
                renamed[level.name] = former
        if renamed:
            self.levels[name, ladder.name] = renamed

    def touches(self, ticket: Ticket) -> bool:
        """Whether anything about a ticket may be different by the newer set. Most deployments touch few tickets.

        On a stopwatch that is off only a ladder that is monitored may end, and what was decided may need the older calendar.
        """
        if self._touches_all or ticket.watches.keys() - self._after.triggers.keys():
            return True
        if self._former and self._renames_any(ticket):
            return True
        fields, differing, epochs = ticket.fields, _NO_ROWS, (-1, -1)
        for metric, watch in ticket.watches.items():
            if watch.on:
                present = self._before.epoch(watch.began), self._after.epoch(watch.began)
                if present != epochs:
                    epochs = present
                    differing = self._differing(
                        self._before.resolved_policy(fields, present[0]), self._after.resolved_policy(fields, present[1])
                    )
                if metric in differing:
                    return True
        for name, escalation_state in ticket.escalations.items():
            if escalation_state.phase == MONITORING:
                metric = escalation_state.terms.metric
                watch = ticket.watches[metric]
                ladder = self._after.resolved_policy(fields, self._after.epoch(watch.began)).ladders.get(name)
                if ladder is None or ladder.metric != metric:
                    return True
        for commitment_state in ticket.commitments.values():
            if commitment_state.verdict != PENDING and commitment_state.terms.calendar not in self._same_calendars:
                return True
        return False

    def _renames_any(self, ticket: Ticket) -> bool:
        """Whether the ticket has anything under a name that is a former one now, whatever policy it is of."""
        former = self._former
        return (
            any(name in former for name in ticket.commitments)
            or any(name in former for name in ticket.escalations)
            or any(not former.isdisjoint(escalation_state.raised) for escalation_state in ticket.escalations.values())
        )

    def _differing(self, old: ResolvedPolicy, new: ResolvedPolicy) -> frozenset[str]:
        """The metrics on which the two do not have the same terms."""
        if old is new:
            return _NO_ROWS
        known = self._differences.get((id(old), id(new)))
        if known is not None:
            return known[2]
        metrics = {*old.commitments_on, *new.commitments_on, *old.ladders_on, *new.ladders_on}
        if old.policy is not None and new.policy is not None and _version(old.policy) == _version(new.policy):
            metrics = {metric for metric in metrics if not self._same_metric(metric, old, new)}
        if len(self._differences) >= 65_536:
            self._differences.clear()
        self._differences[id(old), id(new)] = old, new, frozenset(metrics)
        return frozenset(metrics)

    def _same_metric(self, metric: str, old: ResolvedPolicy, new: ResolvedPolicy) -> bool:
        old_commitments, new_commitments = old.commitments_on.get(metric, ()), new.commitments_on.get(metric, ())
        old_ladders, new_ladders = old.ladders_on.get(metric, ()), new.ladders_on.get(metric, ())
        return (
            len(old_commitments) == len(new_commitments)
            and len(old_ladders) == len(new_ladders)
            and all(self._same_commitment(*both) for both in zip(old_commitments, new_commitments, strict=True))
            and all(self._same_ladder(*both) for both in zip(old_ladders, new_ladders, strict=True))
        )

    def _same_commitment(self, old: ResolvedCommitment, new: ResolvedCommitment) -> bool:
        return (
            old.name == new.name
            and old.target == new.target
            and old.warn_at == new.warn_at
            and old.strict is new.strict
            and old.on_calendar == new.on_calendar
            and old.calendar.name == new.calendar.name
            and old.calendar.name in self._same_calendars
        )

    def _same_ladder(self, old: ResolvedLadder, new: ResolvedLadder) -> bool:
        """For the fields of the ticket: what a ladder chooses for others is not compared."""
        return (
            _without_choices(old.ladder) == _without_choices(new.ladder)
            and [(level.name, threshold) for level, threshold in old.levels]
            == [(level.name, threshold) for level, threshold in new.levels]
            and old.teams == new.teams
            and old.calendar.name == new.calendar.name
            and old.calendar.name in self._same_calendars
        )

    def policy(self, name: str) -> str:
        """The present name of a policy, by the name it had."""
        return self.policies.get(name, name)

    def commitment(self, policy: str, name: str) -> str:
        """The present name of a commitment, by the present name of its policy and the name it had."""
        return self.commitments.get((policy, name), name)

    def ladder(self, policy: str, name: str) -> str:
        """The present name of a ladder, by the present name of its policy and the name it had."""
        return self.ladders.get((policy, name), name)

    def _metrics(self, before: PolicySet, after: PolicySet) -> Iterator[tuple[str, Metric, Metric | None]]:
        """Every metric of ``after`` by its name, and the one on which the same commitment or ladder stood before."""
        versions: dict[str, list[Policy]] = {}
        for policy in before.policies:
            versions.setdefault(self.policy(policy.name), []).append(policy)
        for policy in after.policies:
            old = _version_before(versions.get(policy.name, []), policy.version)
            its_commitments = (
                {}
                if old is None
                else {self.commitment(policy.name, commitment.name): commitment.metric for commitment in old.commitments}
            )
            its_ladders = {} if old is None else {self.ladder(policy.name, ladder.name): ladder for ladder in old.ladders}
            for commitment in policy.commitments:
                yield commitment.metric.name, commitment.metric, its_commitments.get(commitment.name)
            for ladder in policy.ladders:
                if ladder.metric is not None:
                    yield ladder.metric.name, ladder.metric, _metric_of(its_ladders, ladder.name)


class FormerNames:
    """Every name that something in a set of policies ever had, over all deployments up to that set.

    A name that is in use again stands for what has it now.
    """

    __slots__ = ("_commitments", "_levels", "_policies")

    def __init__(self, earlier: FormerNames | None, change: Change | None, policies: PolicySet) -> None:
        """``earlier``: those of the set before. ``change``: from it to ``policies``; ``None`` for the first set."""
        self._policies: dict[str, str] = {}
        self._commitments: dict[tuple[str, str], str] = {}
        self._levels: dict[tuple[str, str, str], str] = {}
        if change is None:
            return
        if earlier is not None:
            self._policies = {old: change.policy(new) for old, new in earlier._policies.items()}
            for (policy, old), new in earlier._commitments.items():
                policy_ = change.policy(policy)
                self._commitments[policy_, old] = change.commitment(policy_, new)
            for (policy, ladder, old), new in earlier._levels.items():
                policy_ = change.policy(policy)
                ladder_ = change.ladder(policy_, ladder)
                self._levels[policy_, ladder_, old] = change.levels.get((policy_, ladder_), {}).get(new, new)
        self._policies |= change.policies
        self._commitments |= change.commitments
        for (policy, ladder), names in change.levels.items():
            self._levels |= {(policy, ladder, old): new for old, new in names.items()}
        for policy_in_use in policies.policies:
            name = policy_in_use.name
            self._policies.pop(name, None)
            for commitment in policy_in_use.commitments:
                self._commitments.pop((name, commitment.name), None)
            for ladder_in_use in policy_in_use.ladders:
                for level in ladder_in_use.levels:
                    self._levels.pop((name, ladder_in_use.name, level.name), None)

    def policy(self, name: str) -> str:
        """The present name of a policy, by any name it had."""
        return self._policies.get(name, name)

    def commitment(self, policy: str, name: str) -> str:
        """The present name of a commitment, by any name that it and its policy had."""
        return self._commitments.get((self.policy(policy), name), name)

    def level(self, policy: str, ladder: str, name: str) -> str:
        """The present name of a level, by any name it had. ``policy`` and ``ladder``: their present names."""
        return self._levels.get((policy, ladder, name), name)


def _metric_of(ladders: Mapping[str, Ladder], name: str) -> Metric | None:
    ladder = ladders.get(name)
    return None if ladder is None else ladder.metric


def _without_choices(ladder: Ladder) -> Ladder:
    levels = tuple([replace(level, at=_NO_CHOICE, assign_to=None) for level in ladder.levels])
    return replace(ladder, levels=levels, when=ALWAYS)


def _version_before(versions: list[Policy], version: int) -> Policy | None:
    """The same version, else the newest older one, else the oldest newer one."""
    older = [policy for policy in versions if policy.version <= version]
    if older:
        return max(older, key=lambda policy: policy.version)
    return min(versions, key=lambda policy: policy.version) if versions else None


def _version(policy: Policy) -> tuple[str, int]:
    return policy.name, policy.version


def _calendars_of(policy: Policy) -> Iterator[str]:
    for _, name in policy.calendar.cases:
        yield name
    for commitment in policy.commitments:
        if commitment.calendar is not None:
            for _, name in commitment.calendar.cases:
                yield name
