"""A ticket while one step changes it: what is shared with the ticket before, and which terms are in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mypy_extensions import mypyc_attr

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.sla.policy.change import Change
    from stream.sla.policy.conditions import Fields
    from stream.sla.policy.resolve import PolicySet, ResolvedCommitment, ResolvedLadder, ResolvedPolicy
    from stream.sla.ticket.commitment_state import CommitmentState
    from stream.sla.ticket.escalation_state import EscalationState
    from stream.sla.ticket.state import Ticket
    from stream.sla.ticket.stopwatch import Stopwatch

Waiting = dict[str, int | None]
"""Levels that wait for business hours, and the instant at which these begin (epoch microseconds); ``None``: they never do."""
_NONE: Final[dict[str, Waiting]] = {}


@mypyc_attr(acyclic=True)
class Terms:
    """The commitments and ladders of certain fields, up to the event or the deployment that is being applied."""

    __slots__ = ("_waiting", "change", "fields", "policies")

    def __init__(
        self, policies: PolicySet, fields: Fields, change: Change | None = None, waiting: Mapping[str, Waiting] = _NONE
    ) -> None:
        """``change``: what the deployment that is being applied changes about the policies. ``waiting``: by the former name of
        the ladder."""
        self._waiting = waiting
        self.policies = policies
        self.fields = fields
        self.change = change

    def resolved_policy(self, watch: Stopwatch) -> ResolvedPolicy:
        """By the versions in force when the present cycle of the stopwatch began."""
        return self.policies.resolved_policy(self.fields, self.policies.epoch(watch.began))

    def commitment(self, name: str, watch: Stopwatch) -> ResolvedCommitment | None:
        """By its present name."""
        change, found = self.change, self.resolved_policy(watch).commitments
        if change is not None:
            for resolved in found.values():
                if name == change.commitment(change.policy(resolved.policy.name), resolved.name):
                    return resolved
        return found.get(name)

    def ladder(self, name: str, watch: Stopwatch) -> ResolvedLadder | None:
        """By its present name."""
        change, found = self.change, self.resolved_policy(watch).ladders
        if change is not None:
            for resolved in found.values():
                if name == change.ladder(change.policy(resolved.policy.name), resolved.name):
                    return resolved
        return found.get(name)

    def waiting(self, name: str, watch: Stopwatch) -> Waiting:
        """Levels of a ladder that wait for business hours, by the present names of ladder and levels."""
        resolved = self.ladder(name, watch)
        if resolved is None or self.change is None:
            return {}
        renamed = self.change.levels.get((self.change.policy(resolved.policy.name), name), {})
        waiting = self._waiting.get(resolved.name, {})
        return {renamed.get(level, level): opening for level, opening in waiting.items()}

    def is_withdrawn(self, policy: str) -> bool:
        """Whether the deployment that is being applied has no policy of that name any more."""
        return self.change is not None and policy in self.change.withdrawn


@mypyc_attr(acyclic=True, free_list_len=1)
class Draft:
    """A copy of a ticket, changed in place. Most events change no part, so parts are copied only before they are changed."""

    __slots__ = ("_commitments", "_epoch", "_escalations", "_fields", "_owned", "_resolved_policy", "policies", "ticket")

    def __init__(self, policies: PolicySet, ticket: Ticket) -> None:
        """``ticket``: a copy."""
        self.policies = policies
        self.ticket = ticket
        self._fields = ticket.fields
        """Those of the terms in force. They follow the ticket's only by ``renew``: until then the old terms judge."""
        self._commitments = ticket.commitments
        self._escalations = ticket.escalations
        """Those that the ticket before shares, while they are still among the ticket's."""
        self._resolved_policy: ResolvedPolicy | None = None
        self._epoch: int = 0
        """The last answer of ``resolved_policy``, and for which versions: few tickets have stopwatches of several."""
        self._owned: bool = False

    def resolved_policy(self, began: int) -> ResolvedPolicy:
        """The policy by the terms in force, and by the versions in force when the cycle of a stopwatch began (epoch
        microseconds)."""
        epoch = self.policies.epoch(began) if self.policies.has_epochs else 0
        resolved_policy = self._resolved_policy
        if resolved_policy is None or epoch != self._epoch:
            resolved_policy = self._resolved_policy = self.policies.resolved_policy(self._fields, epoch)
            self._epoch = epoch
        return resolved_policy

    def renew(self) -> Terms:
        """Put the terms for the ticket's present fields in force. Returns those before."""
        before = Terms(self.policies, self._fields)
        self._fields = self.ticket.fields
        self._resolved_policy = None
        return before

    def deploy(self, policies: PolicySet, change: Change | None = None, waiting: Mapping[str, Waiting] = _NONE) -> Terms:
        """Put another set of policies in force. Returns the terms before, which know ``change`` and ``waiting``."""
        before = Terms(self.policies, self._fields, change, waiting)
        self.policies = policies
        self._fields = self.ticket.fields  # the set before may not have read all that this one reads
        self._resolved_policy = None
        return before

    def own(self) -> None:
        """Parts of the ticket are about to be added, replaced or changed."""
        if not self._owned:
            self._owned = True
            self.ticket.own()

    def commitment_state(self, name: str) -> CommitmentState | None:
        """The commitment as the ticket's own, to be changed."""
        commitment_state = self.ticket.commitments.get(name)
        if commitment_state is not None and commitment_state is self._commitments.get(name):
            commitment_state = self.ticket.commitments[name] = commitment_state.copy()
        return commitment_state

    def escalation_state(self, name: str) -> EscalationState | None:
        """The escalation as the ticket's own, to be changed."""
        escalation_state = self.ticket.escalations.get(name)
        if escalation_state is not None and escalation_state is self._escalations.get(name):
            escalation_state = self.ticket.escalations[name] = escalation_state.copy()
        return escalation_state
