"""Callbacks that belong together: a process can be stopped, go on and be killed."""

from __future__ import annotations

from collections import deque
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable


class EndedError(BaseException):
    """The process ends here. It is no ``Exception``, so that no handler of the code under test takes it."""


class Handle:
    __slots__ = ("_args", "_callback", "_when", "context", "dead")

    def __init__(self, callback: Callable[..., Any], args: tuple[Any, ...], context: Context, when: float) -> None:
        self._callback = callback
        self._args = args
        self._when = when
        self.context = context
        self.dead = False

    def cancel(self) -> None:
        self.dead = True

    def cancelled(self) -> bool:
        return self.dead

    def when(self) -> float:
        return self._when

    def run(self) -> None:
        self.context.run(self._callback, *self._args)


class Process:
    """Callbacks that are ready, and whether they may run."""

    def __init__(self, name: str) -> None:
        self.name: Final = name
        self.number = 0
        """Counts processes by their beginning; 0: the environment."""
        self.ready: deque[Handle] = deque()
        self.alive = True
        self.stopped = False
        """As by SIGSTOP."""
        self.steps = 0
        """Callbacks that have run."""
        self.step_failpoint: tuple[int, Callable[[], None]] | None = None
        """At how many steps something happens to the process, before the next callback runs."""
        self.request_failpoint: tuple[str, int, Callable[[], None]] | None = None
        """For which kind of request, and how many more of them, something happens when it is served and not answered yet."""

    @property
    def has_failpoint(self) -> bool:
        """Whether something is to happen to it at a step or a request."""
        return self.step_failpoint is not None or self.request_failpoint is not None

    def clear_failpoints(self) -> None:
        """Nothing is to happen to it."""
        self.step_failpoint = self.request_failpoint = None

    def fail_after(self, steps: int, action: Callable[[], None]) -> None:
        """Do this when so many more callbacks have run."""
        self.step_failpoint = self.steps + steps, action

    def served(self, kind: str) -> None:
        """The brokers have done what the process asked for, and have not answered."""
        if self.request_failpoint is not None and self.request_failpoint[0] == kind:
            _, left, action = self.request_failpoint
            self.request_failpoint = (kind, left - 1, action) if left > 1 else None
            if left == 1:
                action()


PROCESS: ContextVar[Process] = ContextVar("process")


def this_process() -> Process:
    """The process to which whatever runs now belongs."""
    return PROCESS.get()
