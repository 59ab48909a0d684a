"""What a gateway, a notifier and a writer beside the workers of the desk would show, drawn around what the workers do."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

from stream.gateway.outcome_recorder import OutcomeRecorder
from stream.gateway.outcomes import Outcome as Answer
from stream.notify.message import Status
from stream.notify.notify_metrics import NotifyMetrics
from stream.sla.effects import Kind
from stream.writeback.api import Outcome
from stream.writeback.metrics import DeskStatus, WritebackMetrics

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from stream.sla.effects import Effect
    from stream.sla.events import Event

SOURCE: Final = "desk"
_MAIL, _CHAT = "team-mail", "on-call-chat"
_DESTINATIONS: Final = {
    Kind.WARNED: (_MAIL, Status.NEWS),
    Kind.BREACHED: (_CHAT, Status.NEWS),
    Kind.RAISED: (_CHAT, Status.NEWS),
    Kind.BREACH_RETRACTED: (_CHAT, Status.WITHDRAWAL),
}


class Neighbours:
    """The programs, and their metrics by job."""

    def __init__(self) -> None:
        self._chance: Final = Random(7)  # noqa: S311  the same picture every time, on purpose
        self._gateway: Final = OutcomeRecorder([SOURCE]).metrics
        self._notify: Final = NotifyMetrics([_MAIL, _CHAT], ["team-lead"], lambda: 0)
        self._writeback: Final = WritebackMetrics([SOURCE])
        self._waiting = 0
        self._writeback.watch(lambda: [DeskStatus(SOURCE, self._waiting, 0.0, failing=False)])
        self.registries: Final[dict[str, CollectorRegistry]] = {
            "gateway": self._gateway.registry,
            "notify": self._notify.registry,
            "writeback": self._writeback.registry,
        }

    def event(self, event: Event, arrived: int) -> None:
        """An event of the feed has arrived, epoch microseconds."""
        self._gateway.received(SOURCE, arrived)
        self._gateway.event(SOURCE, event.type, event.at, arrived)
        skipped = self._chance.random() < 0.2
        self._gateway.answered(SOURCE, Answer.SKIPPED if skipped else Answer.ACCEPTED, self._chance.lognormvariate(-4, 0.5))

    def rejected(self, arrived: int) -> None:
        """A payload that the mapping does not cover has arrived."""
        self._gateway.received(SOURCE, arrived)
        self._gateway.rejected(SOURCE, "unmapped")
        self._gateway.answered(SOURCE, Answer.UNMAPPED, 0.01)

    def effect(self, effect: Effect) -> None:
        """An effect is on its topic."""
        if effect.kind in _DESTINATIONS:
            name, status = _DESTINATIONS[effect.kind]
            destination = self._notify.of[name]
            destination.sent([status])
            if self._chance.random() < 0.01:
                destination.failed()
        if effect.kind in (Kind.STARTED, Kind.BREACHED, Kind.MET):
            self._writeback.wrote(SOURCE, Outcome.WRITTEN if self._chance.random() < 0.9 else Outcome.UNCHANGED)

    def scraped(self) -> None:
        """What waits at the instant of a scrape."""
        self._waiting = min(4, int(self._chance.expovariate(1.5)))
        for destination in self._notify.of.values():
            destination.state(min(3, int(self._chance.expovariate(2))), None, None, 0)
