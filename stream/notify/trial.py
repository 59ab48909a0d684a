"""The messages that would be sent to each destination if each were accepted at once. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from stream.notify.decision import Sent, Skipped, decide
from stream.notify.message import Status, Writer
from stream.notify.routing import route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream.notify.message import Message
    from stream.notify.rules import Rules
    from stream.sla.effects import Effect


class Trial:
    """Takes effects in the order in which they were published."""

    def __init__(self, rules: Rules) -> None:
        self._rules: Final = rules
        self._writer: Final = Writer(rules.zone, rules.ticket_url)
        self._sent: Final[dict[str, dict[str, Sent]]] = {name: {} for name in rules.destinations}
        self._counts: Final[Counter[str]] = Counter()
        self._unheld: Final[Counter[str]] = Counter()
        self._effects = 0

    def add(self, effect: Effect) -> Iterator[tuple[str, Message]]:
        """Pairs of destination and message."""
        self._effects += 1
        routed = route(self._rules, effect)
        self._unheld.update(routed.unheld)
        for name, sent in self._sent.items():
            decision = decide(effect, sent.get, self._writer.digest, routed=name in routed.destinations)
            if isinstance(decision, Skipped) and decision is not Skipped.UNCHANGED:
                continue
            sent[effect.id] = Sent(self._writer.digest(effect), provisional=effect.provisional)
            if not isinstance(decision, Status):
                continue
            if decision is Status.WITHDRAWAL:
                sent[effect.retracts] = sent[effect.retracts]._replace(withdrawn=True)
            self._counts[name] += 1
            yield name, self._writer.message(effect, decision)

    def summary(self) -> str:
        text = f"{self._counts.total()} messages for {self._effects} effects"
        if self._counts:
            text += ": " + ", ".join(f"{count} to {name}" for name, count in self._counts.most_common())
        if self._unheld:
            roles = ", ".join(f"{role} ({count})" for role, count in self._unheld.most_common())
            text += f"\nnobody holds the roles: {roles}"
        return text
