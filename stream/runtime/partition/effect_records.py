"""The effects of a unit of work as records of the output topics: each is made when it is written, and let go then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.runtime.kafka.transport import Record
from stream.runtime.recovery.outputs import DEPLOYED, EVENTS, SETTLED
from stream.sla.effects import Kind, Topic
from stream.wire.effect import encode_with_headers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.sla.effects import Effect

_record: Final = Record  # compiled code looks up the imported name in a dict, at each use
_BREACHES: Final = frozenset([kind for kind in Kind if kind.topic is Topic.BREACHES])


def unwritten(effects: Iterable[Effect], emitted_ids: set[bytes]) -> tuple[list[Effect], list[Effect]]:
    """The effects for the topic of breaches and those for the topic of escalations, without those that are there already."""
    breaches: list[Effect] = []
    escalations: list[Effect] = []
    for effect in effects:
        if emitted_ids and effect.id.encode() in emitted_ids:
            continue
        if effect.kind in _BREACHES:
            breaches.append(effect)
        else:
            escalations.append(effect)
    return breaches, escalations


class EffectRecords:
    """Makes the record of an effect."""

    def __init__(
        self, source: bytes, deployed: int, judged_by: dict[bytes, int], settled: dict[bytes, int], after_events: set[str]
    ) -> None:
        """``source``: as in ``effect_headers``. ``deployed``: the newest deployment. By record key: ``judged_by``: the newest
        deployment that the ticket was judged by, where that is another; ``settled``: when time made the ticket settle.
        ``after_events``: as ``Changes.after_events``."""
        self._source: Final = ("ce_source", source)
        self._deployed: Final = deployed
        self._judged_by: Final = judged_by
        self._settled: Final = settled
        self._after_events: Final = after_events

    def of(self, effect: Effect) -> Record:
        """The record of an effect, with the headers by which a successor finds the effect again."""
        value, headers = encode_with_headers(effect, self._source)
        key = effect.ticket.encode()
        # A successor judges by it as well, to find the effect again.
        deployed = self._judged_by.get(key, self._deployed)
        if deployed:
            headers.append((DEPLOYED, b"%d" % deployed))
        settled = self._settled.get(key, 0)
        if settled:
            headers.append((SETTLED, b"%d" % settled))
        if effect.id in self._after_events:
            headers.append((EVENTS, b"1"))
        return _record(key, value, headers)
