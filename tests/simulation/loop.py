"""An event loop in which nothing is left to chance: time is virtual, and a seed chooses what runs next.

Whatever runs belongs to a *process*: a worker, or the environment (the broker, the helpdesk and the faults). A process can be
stopped and can go on, and it can be killed: then nothing of it runs any more, at whichever ``await`` each of its tasks may be.
"""

from __future__ import annotations

import asyncio
from asyncio import events
from contextlib import contextmanager, suppress
from contextvars import Context, copy_context
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from tests.simulation.process import PROCESS, EndedError, Handle, Process

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from random import Random

T = TypeVar("T")

MOST_STEPS: Final = 2_000_000
"""Of one run: more mean that it does not end."""


class StuckError(Exception):
    """The run does not end."""


class Loop:
    """``random`` chooses which process runs next, and which of its callbacks."""

    def __init__(self, random: Random) -> None:
        self.environment: Final = Process("environment")
        self.errors: list[str] = []
        """What went wrong where nobody waits for it."""
        self.steps = 0
        self.trace = 0
        """Of two runs with the same steps in the same order it is the same."""
        self._random: Final = random
        self._now = 0.0
        self._timers: list[tuple[float, int, Handle]] = []
        self._count = 0
        self._processes = 0
        self._tasks: list[asyncio.Task[Any]] = []
        self._busy: list[Process] = []
        """Processes that have something to run."""
        self._over = False

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run until ``main`` is done. Raises what it raises, and StuckError when nothing more can happen."""
        before, this = events._get_running_loop(), cast("Any", self)
        events._set_running_loop(this)
        try:
            with self.within(self.environment):
                task = self.create_task(main)
            while not task.done():
                self._step()
            return cast("T", task.result())
        finally:
            self._over = True
            self._let_go()
            events._set_running_loop(before)

    @contextmanager
    def within(self, process: Process) -> Iterator[None]:
        """What is begun in here belongs to the process."""
        token = PROCESS.set(process)
        try:
            yield
        finally:
            PROCESS.reset(token)

    def spawn(self, process: Process, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        if process.number == 0 and process is not self.environment:
            self._processes += 1
            process.number = self._processes
        with self.within(process):
            task = self.create_task(work)
        task.add_done_callback(self._note)
        return task

    def _note(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self.errors.append(f"{task.get_coro()}: {error!r}")

    def kill(self, process: Process) -> None:
        """Nothing of it runs any more."""
        process.alive = False
        process.ready.clear()
        if process in self._busy:
            self._busy.remove(process)

    def stop_process(self, process: Process) -> None:
        if process.alive and not process.stopped:
            process.stopped = True
            if process in self._busy:
                self._busy.remove(process)

    def go_on(self, process: Process) -> None:
        if process.alive and process.stopped:
            process.stopped = False
            if process.ready:
                self._busy.append(process)

    def _step(self) -> None:
        while self._timers and self._timers[0][2].dead:
            heappop(self._timers)
        if not self._busy:
            if not self._timers:
                raise StuckError("nothing can happen any more, and the run is not over")
            self._now = max(self._now, self._timers[0][0])
        while self._timers and self._timers[0][0] <= self._now:
            handle = heappop(self._timers)[2]
            if not handle.dead:
                self._make_ready(handle)
        busy = self._busy
        if not busy:
            return
        process = busy[0] if len(busy) == 1 else busy[int(self._random.random() * len(busy))]
        if process.step_failpoint is not None and process.steps >= process.step_failpoint[0]:
            _, action = process.step_failpoint
            process.step_failpoint = None
            action()
            return
        ready = process.ready
        if len(ready) > 1:
            ready.rotate(-int(self._random.random() * len(ready)))
        handle = ready.popleft()
        if not ready:
            busy.remove(process)
        if handle.dead:
            return
        process.steps += 1
        self.steps += 1
        self.trace = hash((self.trace, process.number, self._now))
        if self.steps > MOST_STEPS:
            raise StuckError(f"the run is not over after {MOST_STEPS} steps")
        with suppress(EndedError):
            handle.run()

    def _make_ready(self, handle: Handle) -> None:
        process = handle.context.get(PROCESS)
        if process is None or not process.alive:
            return
        process.ready.append(handle)
        if not process.stopped and len(process.ready) == 1:
            self._busy.append(process)

    def _let_go(self) -> None:
        """Close what still waits. Nothing runs for it: its futures are gone, and its clients do not answer."""
        for task in self._tasks:
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                try:
                    cast("Any", task.get_coro()).close()
                except (EndedError, RuntimeError):
                    continue
        self._tasks.clear()
        self._timers.clear()

    # What asyncio asks of a loop.

    def time(self) -> float:
        """Seconds since the run began."""
        return self._now

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Any:
        handle = Handle(callback, args, copy_context() if context is None else context, self._now)
        if not self._over:
            self._make_ready(handle)
        return handle

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Any:
        handle = Handle(callback, args, copy_context() if context is None else context, when)
        if not self._over:
            self._count += 1
            heappush(self._timers, (when, self._count, handle))
        return handle

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Any:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        this: Any = self
        return asyncio.Future(loop=this)

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None) -> asyncio.Task[Any]:
        this: Any = self
        task = asyncio.Task[Any](coro, loop=this, name=name, context=context)
        self._tasks.append(task)
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self._over:
            self.errors.append(f"{context.get('message')}: {context.get('exception')!r}")

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return not self._over

    def is_closed(self) -> bool:
        return self._over
