"""Takes fetched effects into the queue of one destination, or skips them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import msgspec

from stream.notify.decision import may_concern
from stream.notify.notify_metrics import HISTORY
from stream.notify.routing import route
from stream.notify.send_queue import Entry, Position
from stream.wire.effect import decode_effect
from stream.wire.instants import InstantError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.notify.notify_metrics import NotifyMetrics
    from stream.notify.rules import Rules
    from stream.notify.send_queue import SendQueue
    from stream.sla.effects import Effect

log = logging.getLogger(__name__)

_TYPE: Final = "ce_type"
_PREFIX: Final = "breachwatch."


class Enqueuer:
    """Takes the effects of one destination into its queue."""

    def __init__(self, name: str, rules: Rules, queue: SendQueue, metrics: NotifyMetrics) -> None:
        self.name: Final = name
        self.queue: Final = queue
        self._rules: Final = rules
        self._metrics: Final = metrics
        self._kinds: Final = frozenset(
            kind for each in rules.routes if each.to_roles or name in each.to for kind in each.match.kinds
        )
        self._counts_roles: Final = name == next(iter(rules.destinations))
        """Each destination has all effects for roles: one of them counts."""

    def take(self, records: Iterable[Any], now: int) -> None:
        """``now``: epoch microseconds."""
        for record in records:
            position = Position((record.topic, record.partition), record.offset)
            effect = self._effect(record)
            if effect is None:
                self.queue.pass_over(position)
                continue
            if now - record.timestamp * 1_000 > self._rules.max_age:
                self.queue.pass_over(position)
                self._metrics.of[self.name].skipped([HISTORY])
                continue
            routed = route(self._rules, effect)
            if self._counts_roles:
                for role in routed.unheld:
                    self._metrics.unheld(role)
            entry = Entry(effect, record.value, position, now, self.name in routed.destinations)
            if skipped := self.queue.take(entry):
                self._metrics.of[self.name].skipped([skipped])

    def _effect(self, record: Any) -> Effect | None:
        """The effect of a record; ``None`` if it cannot concern this destination, or cannot be read."""
        kind = next((value for name, value in record.headers if name == _TYPE), b"").decode("utf-8", "replace")
        if kind and not may_concern(kind.removeprefix(_PREFIX), self._kinds):
            return None
        try:
            return decode_effect(record.value or b"")
        except (msgspec.DecodeError, InstantError) as error:
            self._metrics.unreadable()
            log.warning("%s[%d]@%d: cannot be read: %s", record.topic, record.partition, record.offset, error)
            return None
