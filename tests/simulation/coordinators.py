"""What Kafka's coordinators decide: who may write a transaction, and who has which partition of the input.

A transaction is decided at once and becomes visible later: the coordinator acknowledges the end before the markers are written.
Until they are, nobody can begin under the same id. An epoch that is raised fences whoever had the id before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from aiokafka.errors import (
    ConcurrentTransactions,
    IllegalGenerationError,
    InvalidProducerEpoch,
    InvalidTxnState,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from tests.simulation.log import Producer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from random import Random

    from tests.simulation.log import Log

Later = "Callable[[Callable[[], None]], None]"


@dataclass
class _Transactions:
    """One transactional id."""

    producer: Producer
    partitions: list[tuple[str, int]] = field(default_factory=list)
    """Those of the transaction that is open."""
    ending: bool = False
    """It is decided, and markers are still to be written."""


class Transactions:
    """The transaction coordinator. ``later``: do something after a while."""

    def __init__(self, log: Log, later: Callable[[Callable[[], None]], None]) -> None:
        self._log: Final = log
        self._later: Final = later
        self._of: dict[str, _Transactions] = {}
        self._ids = 0

    def init(self, transactional_id: str) -> Producer:
        """Raise the epoch; end what is open. Raises ConcurrentTransactions as long as something has to be ended."""
        known = self._of.get(transactional_id)
        if known is None:
            known = self._of[transactional_id] = _Transactions(Producer(self.new_id(), -1))
        if known.ending:
            raise ConcurrentTransactions
        if known.partitions:
            # The epoch is raised for the markers, and once more for the owner: nobody knows the one in between.
            known.producer = known.producer._replace(epoch=known.producer.epoch + 1)
            self._end(known, commit=False)
            raise ConcurrentTransactions
        known.producer = known.producer._replace(epoch=known.producer.epoch + 1)
        return known.producer

    def new_id(self) -> int:
        """For a producer without transactions."""
        self._ids += 1
        return self._ids

    def add(self, transactional_id: str, producer: Producer, partition: tuple[str, int]) -> None:
        """Make a partition part of the open transaction, or open one. Raises InvalidProducerEpoch, ConcurrentTransactions."""
        known = self._mine(transactional_id, producer)
        if known.ending:
            raise ConcurrentTransactions
        if partition not in known.partitions:
            known.partitions.append(partition)

    def end(self, transactional_id: str, producer: Producer, *, commit: bool) -> None:
        """Decide the open transaction. Raises InvalidProducerEpoch, ConcurrentTransactions, InvalidTxnState if none is open."""
        known = self._mine(transactional_id, producer)
        if known.ending:
            raise ConcurrentTransactions
        if not known.partitions:
            raise InvalidTxnState
        self._end(known, commit=commit)

    def _mine(self, transactional_id: str, producer: Producer) -> _Transactions:
        known = self._of[transactional_id]
        if known.producer != producer:
            raise InvalidProducerEpoch
        return known

    def _end(self, known: _Transactions, *, commit: bool) -> None:
        known.ending = True
        producer = known.producer
        left = [self._log.of(*place) for place in known.partitions]

        def write_marker() -> None:
            partition = left.pop()
            partition.write_marker(producer, commit=commit)
            if left:
                self._later(lambda: left[-1].when_led(write_marker))
            else:
                known.ending = False
                known.partitions.clear()

        self._later(lambda: left[-1].when_led(write_marker))


class Joined(NamedTuple):
    """What a member gets when a rebalance is over."""

    generation: int
    partitions: frozenset[int]


@dataclass
class _Member:
    seen: float
    """When it last let us know that it is alive, seconds."""
    answer: Callable[[Joined], None] | None = None
    """It waits for the end of the rebalance."""


class Group:
    """The coordinator of the one consumer group. Times are seconds."""

    def __init__(self, random: Random, partitions: int, session: float, rebalance: float) -> None:
        """``session``: how long a member may be silent. ``rebalance``: how long the others wait for it in a rebalance."""
        self.generation = 0
        self.committed: dict[int, int] = {}
        self._random: Final = random
        self._partitions: Final = partitions
        self._session: Final = session
        self._rebalance: Final = rebalance
        self._members: dict[str, _Member] = {}
        self._assigned: dict[str, frozenset[int]] = {}
        self._since: float | None = None
        """When the rebalance under way began."""

    @property
    def stable(self) -> bool:
        return self._since is None and bool(self._members)

    def join(self, member: str, now: float, answer: Callable[[Joined], None]) -> None:
        """Ask to take part. ``answer`` is called when the rebalance is over."""
        known = self._members.setdefault(member, _Member(now))
        known.seen, known.answer = now, answer
        self.rebalance(now)
        self.check_members(now)

    def heartbeat(self, member: str, generation: int, now: float) -> None:
        """Raises UnknownMemberIdError, IllegalGenerationError, RebalanceInProgressError: the member has to join."""
        self._check(member, generation)
        self._members[member].seen = now
        if self._since is not None:
            raise RebalanceInProgressError

    def commit(self, member: str, generation: int, offsets: Mapping[int, int], now: float) -> None:
        """Raises UnknownMemberIdError, IllegalGenerationError. While the others are still joining it is taken."""
        self._check(member, generation)
        self._members[member].seen = now
        self.committed.update(offsets)

    def leave(self, member: str, now: float) -> None:
        if self._members.pop(member, None) is not None:
            self.rebalance(now)
            self.check_members(now)

    def rebalance(self, now: float) -> None:
        """Begin one, unless one is under way."""
        if self._since is None:
            self._since = now

    def check_members(self, now: float) -> None:
        """What time has brought: members that are silent are dropped, and a rebalance ends when all have joined."""
        for name, member in list(self._members.items()):
            silent = now - member.seen > self._session and member.answer is None
            if silent:
                del self._members[name]
                self.rebalance(now)
        if self._since is None:
            return
        if now - self._since > self._rebalance:
            self._members = {name: member for name, member in self._members.items() if member.answer is not None}
        if self._members and all(member.answer is not None for member in self._members.values()):
            self._complete(now)
        elif not self._members:
            self._since = None

    def _check(self, member: str, generation: int) -> None:
        if member not in self._members:
            raise UnknownMemberIdError
        if generation != self.generation:
            raise IllegalGenerationError

    def _complete(self, now: float) -> None:
        self.generation += 1
        self._since = None
        answers = [(member, member.answer) for member in self._members.values()]
        for (member, answer), mine in zip(answers, self._divided(list(self._members)), strict=True):
            member.answer, member.seen = None, now
            if answer is not None:
                answer(Joined(self.generation, mine))

    def _divided(self, names: list[str]) -> Iterable[frozenset[int]]:
        """As before, as far as that is even, or in any other way."""
        most = -(-self._partitions // len(names))
        keep = self._random.random() < 0.5
        shares: list[set[int]] = [set(sorted(self._assigned.get(name, ()))[:most]) if keep else set() for name in names]
        rest = [number for number in range(self._partitions) if not any(number in share for share in shares)]
        self._random.shuffle(rest)
        for number in rest:
            min(shares, key=len).add(number)
        self._assigned = {name: frozenset(share) for name, share in zip(names, shares, strict=True)}
        return list(self._assigned.values())
