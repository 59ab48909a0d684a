"""One ticket as a consumer of the effects knows it. Its state goes through bytes after each step, as in the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.sla.codec import codec

if TYPE_CHECKING:
    from stream.sla.effects import Effect
    from stream.sla.engine import Engine
    from stream.sla.events import Event
    from stream.sla.step import Outcome


class Consumer:
    """What was emitted and not retracted. Objects as soon as an effect comes twice, or is retracted without having come."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.state: bytes | None = None
        self.effects: list[Effect] = []
        """All of them, in their order."""
        self.emitted: dict[str, Effect] = {}
        """By id, those that were not taken back."""
        self._ids: set[str] = set()

    @property
    def wake_at(self) -> int | None:
        """When the ticket wants to be woken."""
        return None if self.state is None else codec.decode(self.state).wake_at

    def apply(self, event: Event, arrived: int = 0) -> Outcome:
        """``arrived``: when the event reached Kafka; 0: when it happened."""
        state = None if self.state is None else codec.decode(self.state)
        step = self.engine.apply(state, "T", event, arrived or event.at, arrived)
        self._take(step.effects)
        self.state = codec.encode(step.state)
        return step.outcome

    def wake(self, now: int) -> None:
        if self.state is not None:
            step = self.engine.wake(codec.decode(self.state), now)
            self._take(step.effects)
            self.state = codec.encode(step.state)

    def confirm(self, now: int, until: int, cause: str) -> None:
        """As ``Engine.confirm``."""
        assert self.state is not None
        step = self.engine.confirm(codec.decode(self.state), now, until, cause)
        self._take(step.effects)
        self.state = codec.encode(step.state)

    def _take(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            assert effect.id not in self._ids, f"emitted twice: {effect}"
            self._ids.add(effect.id)
            self.effects.append(effect)
            if effect.retracts:
                del self.emitted[effect.retracts]
            else:
                self.emitted[effect.id] = effect
