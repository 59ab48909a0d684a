"""The machines that workers run on, and a supervisor that starts each again when it has ended."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from aiokafka.errors import KafkaError

from tests.simulation.clock import WorkerClock
from tests.simulation.memory import check_memory
from tests.simulation.worker import WorkerProcess

if TYPE_CHECKING:
    from tests.chaos.recording import Step
    from tests.simulation.worker import Simulation

_RESTART_SECONDS: Final = 2.0
REPLACED: Final = "another worker has partition"
BEHIND: Final = "was judged by deployment"
"""Its predecessor knew a deployment that the worker does not know yet."""


class Machine:
    """One of them: its clock, and the worker that runs there, if any does."""

    def __init__(self, cluster: Cluster, number: int) -> None:
        simulation = cluster.simulation
        self.clock: Final = WorkerClock(simulation.pace, simulation.loop)
        self.wanted = True
        """Whether a worker is to run here."""
        self.worker: WorkerProcess | None = None
        self._cluster: Final = cluster
        self._number: Final = number
        self._starts = 0

    def start(self) -> None:
        if self.wanted and self.worker is None:
            self._starts += 1
            simulation = self._cluster.simulation
            self.worker = WorkerProcess(simulation, f"worker {self._number}.{self._starts}", self.clock, self._ended)

    def kill(self) -> None:
        """As by kill -9."""
        if self.worker is not None:
            self._cluster.simulation.loop.kill(self.worker.process)
            self._gone()

    def leave(self) -> None:
        """End in good order, and stay away."""
        self.wanted = False
        if self.worker is not None:
            self.worker.leave()

    def _ended(self, doing: str, error: BaseException | None) -> None:
        exits = self._cluster.exits
        if error is None:
            exits["ended in order"] += 1
        elif isinstance(error, KafkaError) or REPLACED in str(error) or BEHIND in str(error):
            exits[type(error).__name__] += 1
        else:
            self._cluster.unexplained.append(f"a worker ended {doing}: {error!r}")
        self._gone()

    def _gone(self) -> None:
        self.worker = None
        loop = self._cluster.simulation.loop
        with loop.within(loop.environment):
            loop.call_later(self._cluster.simulation.random.random() * _RESTART_SECONDS, self.start)


class Cluster:
    """All machines of a run."""

    def __init__(self, simulation: Simulation, machines: int) -> None:
        self.simulation: Final = simulation
        self.exits = Counter[str]()
        """Why workers ended by themselves, and how often."""
        self.unexplained: list[str] = []
        """What is wrong with workers themselves: ends that nothing from outside explains, and wrong timers or counts."""
        self.machines: Final = [Machine(self, number) for number in range(machines)]
        for machine in self.machines:
            machine.start()

    @property
    def steps(self) -> list[Step]:
        """What was done to their clocks."""
        return [step for machine in self.machines for step in machine.clock.steps]

    @property
    def running(self) -> list[WorkerProcess]:
        return [machine.worker for machine in self.machines if machine.worker is not None]

    def check_memory(self) -> None:
        """Whether workers that have nothing to do have the timers and counts that their tickets need."""
        for worker in self.running:
            for task in worker.tasks.values():
                if not task.has_work():
                    self.unexplained += check_memory(task.shard, self.simulation.settings)
