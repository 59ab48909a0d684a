"""A ticket as the engine keeps it: its fields, its stopwatches, and how each commitment and ladder stands."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from stream.sla.commitment import Pledge, Verdict
from stream.sla.escalation import Climb
from stream.sla.events import Event
from stream.sla.stopwatch import Phase, Stopwatch


class Ticket(msgspec.Struct, array_like=True, gc=False):
    """What is true of a ticket after a run of events. Copied before it is changed, its parts as they are changed."""

    id: str
    fields: dict[str, str | list[str]] = {}
    """Fields of the helpdesk, and the derived ones (``@answered`` ...)."""
    watches: dict[str, Stopwatch] = {}
    """By the name of the metric row."""
    pledges: dict[str, Pledge] = {}
    """By the name of the commitment."""
    climbs: dict[str, Climb] = {}
    """By the name of the ladder."""
    parties: list[str] = []
    """Third parties the ticket waits for."""
    begun: bool = False
    partial: bool = False
    """Its creation has not been seen."""
    gone: str = ""
    """``merged`` or ``deleted``: nothing runs any more."""
    last: tuple[int, int, str, str] | None = None
    """The key of the newest event."""
    fired: int | None = None
    """The newest instant at which time alone made something true."""
    next: int | None = None
    """The soonest instant at which something becomes true, if no event comes first."""

    def copy(self) -> Ticket:
        """Shares its parts with the original: who changes a part puts a copy of it in its place first."""
        copied: Ticket = self.__copy__()  # type: ignore[attr-defined]  # msgspec has it, its stubs do not
        copied.watches = self.watches.copy()
        copied.pledges = self.pledges.copy()
        copied.climbs = self.climbs.copy()
        return copied

    def look_ahead(self) -> None:
        """Find ``next`` anew, after that of any part has changed."""
        soonest = None
        for pledge in self.pledges.values():
            if pledge.next is not None and (soonest is None or pledge.next < soonest):
                soonest = pledge.next
        for climb in self.climbs.values():
            if climb.next is not None and (soonest is None or climb.next < soonest):
                soonest = climb.next
        self.next = soonest


_OPEN: Final = (int(Verdict.PENDING), int(Verdict.BREACHED))
_ARRAY: Final = b"\xdd"
"""In MessagePack: an array, its length in four bytes to follow."""
_write: Final = msgspec.msgpack.Encoder().encode
_read_events: Final = msgspec.msgpack.Decoder(list[Event]).decode


def pack(*events: Event) -> bytes:
    """Events one after another, as ``State.recent`` keeps them."""
    return b"".join(map(_write, events))


class State(msgspec.Struct, array_like=True, gc=False):
    """A ticket and as much of its history as is needed to fold a late event in at its place."""

    head: Ticket
    """After the whole history, and after all that time alone has made true and that was said."""
    recent: bytes = b""
    """The newest events in the order of their keys, each as ``pack`` has it. Only a late event needs to look into them: as
    bytes they cost a ticket of eight events a quarter of what reading and writing them at every event did."""
    kept: int = 0
    """How many events ``recent`` holds."""
    base: Ticket | None = None
    """Before ``recent``; ``None`` when the history is whole."""
    old_ids: list[str] = []
    """``source``, newline, ``id`` of events that went into ``base``, so that a repetition is known for one; bounded."""
    revisions: dict[str, int] = {}
    """Stem of an effect to the number of times it was taken back."""

    @property
    def history(self) -> list[Event]:
        """The events of ``recent``, read anew at each call."""
        return _read_events(_ARRAY + self.kept.to_bytes(4, "big") + self.recent)

    def knows(self, event: Event) -> bool:
        """Whether the event is among ``recent``, by its id and source."""
        # The id's own bytes are nearly always enough to tell that it is not.
        if _write(event.id) not in self.recent:
            return False
        return any(known.id == event.id and known.source == event.source for known in self.history)

    @property
    def wake_at(self) -> int | None:
        """The earliest clock reading (epoch microseconds) at which ``Engine.wake`` would do something.

        One microsecond after the instant itself: what happens *at* a deadline is still in time.
        """
        soonest = self.head.next
        return None if soonest is None else soonest + 1

    @property
    def closed(self) -> bool:
        """Nothing is due any more, and the helpdesk has closed, merged or deleted the ticket."""
        return self.head.next is None and (bool(self.head.gone) or self.head.fields.get("status") == "closed")


class Standing(NamedTuple):
    """One open commitment of a ticket, for gauges and pages."""

    commitment: str
    policy: str
    priority: str
    team: str
    state: str
    """``running``, ``paused`` or ``breached``."""
    due_at: int | None
    began: int
    """When the stopwatch began its present cycle, running or paused."""


def standings(state: State) -> list[Standing]:
    """The commitments of a ticket that still wait to be fulfilled."""
    ticket = state.head
    open_ = []
    for name, pledge in ticket.pledges.items():
        if pledge.target is None or pledge.verdict not in _OPEN:
            continue
        watch = ticket.watches.get(pledge.row)
        if watch is None or not watch.on:
            continue
        going = "running" if watch.phase == Phase.RUNNING else "paused"
        word = "breached" if pledge.verdict == Verdict.BREACHED else going
        priority, team = ticket.fields.get("priority", ""), ticket.fields.get("team", "")
        open_.append(Standing(name, pledge.policy, str(priority), str(team), word, pledge.due, watch.began))
    return open_
