"""Pairs the things of two sets: by name, or by the former name that a thing states with ``was``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from stream.sla.policy.metric import base_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stream.sla.policy.metric import Metric
    from stream.sla.policy.policy import Commitment, Ladder, Policy


class Named(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def was(self) -> str: ...


T = TypeVar("T", bound=Named)


@dataclass(frozen=True, slots=True)
class Pairs(Generic[T]):
    """The things of two lists, paired."""

    kept: tuple[tuple[T, T], ...]
    """The old and the new of each, in the order of the new."""
    added: tuple[T, ...]
    withdrawn: tuple[T, ...]

    @property
    def renamed(self) -> dict[str, str]:
        """The former name to the new one."""
        return {old.name: new.name for old, new in self.kept if old.name != new.name}

    def equal(self, content: Callable[[T], object]) -> list[tuple[T, T]]:
        """Pairs of a withdrawn and an added thing with the same content: likely one thing under a new name."""
        found: list[tuple[T, T]] = []
        for new in self.added:
            taken = {old.name for old, _ in found}
            same = (old for old in self.withdrawn if old.name not in taken and content(old) == content(new))
            found += [(old, new) for old in [next(same, None)] if old is not None]
        return found


def pair(before: Sequence[T], after: Sequence[T]) -> Pairs[T]:
    """Pairs two lists. A name that both have counts for more than a former name."""
    old = {thing.name: thing for thing in before}
    present = {thing.name for thing in after}
    kept = []
    added = []
    for thing in after:
        same = old.get(thing.name)
        if same is None and thing.was not in present:
            same = old.get(thing.was)
        if same is None:
            added.append(thing)
        else:
            kept.append((same, thing))
    found = {same.name for same, _ in kept}
    return Pairs(tuple(kept), tuple(added), tuple(thing for thing in before if thing.name not in found))


def onto_existing(before: Sequence[T], after: Sequence[T]) -> list[T]:
    """The things whose name and whose former name the old list has both: two things would become one."""
    names = {thing.name for thing in before}
    return [thing for thing in after if thing.was in names and thing.name in names]


# What a thing is, whatever its name.


def unnamed(metric: Metric | None) -> Metric | None:
    """A metric without the name that it has from its commitment or ladder."""
    if metric is None:
        return None
    return replace(metric, name="" if "/" in metric.name else base_name(metric.name))


def policy_content(policy: Policy) -> object:
    commitments = tuple(replace(commitment_content(thing), name=thing.name) for thing in policy.commitments)
    ladders = tuple(replace(ladder_content(thing), name=thing.name) for thing in policy.ladders)
    return replace(policy, name="", version=0, since=None, was="", commitments=commitments, ladders=ladders)


def commitment_content(commitment: Commitment) -> Commitment:
    metric = unnamed(commitment.metric)
    assert metric is not None
    return replace(commitment, name="", was="", metric=metric)


def ladder_content(ladder: Ladder) -> Ladder:
    levels = tuple(replace(level, was="") for level in ladder.levels)
    return replace(ladder, name="", was="", metric=unnamed(ladder.metric), levels=levels)
