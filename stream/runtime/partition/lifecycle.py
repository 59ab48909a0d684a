"""The life of a partition on one worker, from the take-over to its end: which state may follow which.

::

    CREATED ──release──► CATCHING_UP ──input processed──► RUNNING
       │                   ▲      │                          │
       │                   │      └───────────┬──────────────┘
       │                   │                 hold
       │                   │                  ▼
       │                release           SUSPENDING
       │                   │                  │ the unit of work is over
       │                   │                  ▼
       │                   └───────────── SUSPENDED
       │                                      │
       └──────────────► CLOSED ◄──────────────┘

A rebalance holds every partition of the worker, and the take-over that ends it releases those that stay. Whatever is not
in the table is a bug of ours: ``IllegalTransitionError`` ends the process, because two owners of one partition would
write over each other.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final


class State(Enum):
    """The state of a partition."""

    CREATED = auto()
    """The partition is taken over, its tickets are restored, and no unit of work has begun."""
    CATCHING_UP = auto()
    """Units of work process input that was published before the release. Deadlines pass when the feed passes them."""
    RUNNING = auto()
    """Live: that input is processed. Deadlines pass by the clock."""
    SUSPENDING = auto()
    """No unit of work begins; the one under way goes on to its end."""
    SUSPENDED = auto()
    """No unit of work is under way and the inbox is empty."""
    CLOSED = auto()
    """Another worker has the partition, or this one ends."""


TRANSITIONS: Final = frozenset(
    {
        (State.CREATED, State.CATCHING_UP),
        (State.CREATED, State.CLOSED),
        (State.CATCHING_UP, State.RUNNING),
        (State.CATCHING_UP, State.SUSPENDING),
        (State.RUNNING, State.SUSPENDING),
        (State.SUSPENDING, State.SUSPENDED),
        (State.SUSPENDED, State.CATCHING_UP),
        (State.SUSPENDED, State.CLOSED),
    }
)
"""From, to."""

_ACTIVE: Final = frozenset({State.CATCHING_UP, State.RUNNING})


class IllegalTransitionError(Exception):
    """A bug of ours: the states and the partition are in the text."""


class Lifecycle:
    """In which state one partition is."""

    def __init__(self, partition: int) -> None:
        self.state = State.CREATED
        self._partition: Final = partition

    @property
    def active(self) -> bool:
        """Whether units of work may begin."""
        return self.state in _ACTIVE

    @property
    def live(self) -> bool:
        """Whether everything published before the partition was released is processed, and units of work may begin."""
        return self.state is State.RUNNING

    def enter(self, state: State) -> None:
        """Raises IllegalTransitionError when this state must not follow the present one."""
        if (self.state, state) not in TRANSITIONS:
            raise IllegalTransitionError(f"partition {self._partition} is {self.state.name}: it cannot become {state.name}")
        self.state = state
