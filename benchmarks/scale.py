"""What 10, 100 and 1,000 workers cost, without that many machines: the assignor, the group's record, and the lists of tickets.

    python benchmarks/scale.py [--workers 10 100 1000] [--partitions-each 2] [--restarts 5]

The assignment is that of a worker, by its own assignor, with as many members as there are workers. Each member keeps what it
was assigned, as real ones do, for the next round: a worker leaves and comes back, one joins, and each is restarted after the
other (``--restarts`` of them). *Moved* are the partitions whose owner is another one than before.

*The group's record* is what the broker stores of the group after each rebalance, in one record: the subscription and the
assignment of every member. A broker refuses it beyond ``max.message.bytes`` of the topic of the offsets, by default 1 MiB.

The lists are asked of fake workers on this machine, each of which answers with ``--rows`` rows at once.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import threading
import time
from typing import Any, Final

from aiohttp import web
from aiokafka.cluster import ClusterMetadata
from figures import machine

from stream.language.policies import load, shipped
from stream.observe.metrics.registry import Metrics
from stream.observe.pages.list_formats import as_json
from stream.observe.pages.lists import ListPart, ListQuery, ListRow, merged, read_query
from stream.observe.pages.neighbours import Neighbours
from stream.observe.pages.ticket_links import TicketLinks
from stream.runtime.app import App
from stream.runtime.clock import SystemClock
from stream.runtime.kafka.assignor import Assignor
from stream.runtime.settings_sources import load as load_settings
from stream.runtime.suspension import SuspensionDetector
from stream.sla.engine import Engine

_LIMIT: Final = 1_048_588
"""``max.message.bytes`` of a topic by default."""


class Member(Assignor):
    """A worker as the leader of the group sees it. All share an app."""

    def __init__(self, app: App, number: int) -> None:
        super().__init__(app)
        self.member_id = f"breachwatch-{number:06d}-00000000-0000-4000-8000-{number:012d}"
        self.url = f"http://10.{number >> 16}.{number >> 8 & 255}.{number & 255}:9300"
        self.partitions: frozenset[int] = frozenset()

    @property
    def _url(self) -> str:
        return self.url

    def joins(self) -> Any:
        return self.metadata({self.app.topic_names.events, self.app.topic_names.changelog})

    def gets(self, assignment: Any) -> None:
        self.on_assignment(assignment)
        self.partitions = frozenset(tp.partition for tp in self.assigned_actives())


class Group:
    """The members, and what a rebalance costs."""

    def __init__(self, app: App, workers: int, partitions: int) -> None:
        self.app = app
        self.partitions = partitions
        self.members = [Member(app, number) for number in range(workers)]
        self.seconds = self.member_seconds = 0.0
        self.bytes_joined = self.bytes_assigned = 0
        self._owners: dict[int, str] = {}

    def rebalance(self) -> int:
        """Returns how many partitions have another owner than before."""
        joined = {member.member_id: member.joins() for member in self.members}
        leader = self.members[0]
        began = time.process_time()
        assigned = leader.assign(ClusterMetadata(), joined)
        self.seconds = time.process_time() - began
        self.bytes_joined = sum(len(one.encode()) for one in joined.values())
        self.bytes_assigned = sum(len(one.encode()) for one in assigned.values())
        for member in self.members:
            began = time.process_time()
            member.gets(assigned[member.member_id])
            self.member_seconds = time.process_time() - began
        before, self._owners = self._owners, {number: one.member_id for one in self.members for number in one.partitions}
        assert len(self._owners) == self.partitions
        return sum(before.get(number, owner) != owner for number, owner in self._owners.items())

    def sizes(self) -> str:
        sizes = [len(member.partitions) for member in self.members]
        return f"{min(sizes)} to {max(sizes)}"


def app_of(partitions: int) -> App:
    settings = load_settings({"policies": "batoi", "partitions": str(partitions)}, {})
    policies = load([shipped("batoi")])
    metrics = Metrics(policies)
    return App(settings, metrics, Engine(policies), SystemClock(metrics.clock_stepped), SuspensionDetector(4))


def assignments(workers: int, partitions: int, restarts: int) -> None:
    group = Group(app_of(partitions), workers, partitions)
    group.rebalance()
    print(f"\n{workers} workers, {partitions} partitions: {group.sizes()} each")
    again = group.rebalance()
    record = group.bytes_joined + group.bytes_assigned
    print(
        f"  assignment {group.seconds * 1e3:,.0f} ms of the leader, {group.member_seconds * 1e3:.1f} ms of a member; "
        f"JoinGroup {group.bytes_joined / 1e3:,.0f} kB to the leader, SyncGroup {group.bytes_assigned / 1e3:,.0f} kB from it; "
        f"the group's record {record / 1e3:,.0f} kB, {record / _LIMIT:.2f} of the default limit"
    )
    gone = group.members.pop()
    leave = f"{group.rebalance()} of which {len(gone.partitions)} were its own"
    group.members.append(Member(group.app, workers))
    join = f"{group.rebalance()} of which it gets {len(group.members[-1].partitions)}"
    print(f"  moved: nothing changed {again}; one leaves {leave}; one joins {join}")
    moved = its = 0
    for number in range(min(restarts, workers)):
        gone = group.members.pop(number)
        its += len(gone.partitions)
        moved += group.rebalance()
        group.members.insert(number, Member(group.app, workers + 1 + number))
        moved += group.rebalance()
    print(f"  rolling restart of {min(restarts, workers)}: {moved} moves; there and back again would be {2 * its}")


class Neighbourhood:
    """Fake workers in a thread of this process, all on one port: their names are addresses of this machine."""

    def __init__(self, workers: int, rows: int, query: ListQuery) -> None:
        row = ListRow("desk/1", "breached", "support", "resolution", 1, -1, None, "p1", "first-line", "acme", "kim", "UTC")
        found = tuple(row._replace(ticket=f"desk/{number}") for number in range(rows))
        part = ListPart("", 1, found, rows, rows, complete=True)
        self.body = as_json(merged(query, [part], []), TicketLinks())
        self.most = self.now = self.requests = 0
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        self._ready.wait()
        self.urls = [
            f"http://127.{number >> 16}.{number >> 8 & 255}.{number % 256}:{self.port}" for number in range(1, workers)
        ]

    async def _serve(self) -> None:
        async def answer(_: web.BaseRequest) -> web.Response:
            self.requests += 1
            return web.Response(body=self.body, content_type="application/json")

        runner = web.ServerRunner(web.Server(answer))
        await runner.setup()
        site = web.TCPSite(runner, "0.0.0.0", 0, backlog=1_024)
        await site.start()
        self.port = runner.addresses[0][1]
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    def close(self) -> None:
        assert self._loop is not None
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()


def lists(workers: int, rows: int) -> None:
    query = read_query("breached", {})
    around = Neighbourhood(workers, rows, query)
    neighbours = Neighbours()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, cpu = time.perf_counter(), time.process_time()
    parts, missing = neighbours.ask(around.urls, query)
    merged(query, parts, missing)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    around.close()
    print(
        f"  a list of all, {rows} rows of each, {len(around.body) / 1e3:.0f} kB: {seconds:.2f} s, {cpu:.2f} s of CPU with that "
        f"of the fake workers, {memory / 1e3:.0f} MB more; {len(parts)} answered, {len(missing)} did not"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--workers", type=int, nargs="+", default=[10, 100, 1_000])
    options.add_argument("--partitions-each", type=int, default=2)
    options.add_argument("--restarts", type=int, default=5)
    options.add_argument("--rows", type=int, nargs="+", default=[10, 500])
    chosen = options.parse_args()
    print(machine())
    for workers in chosen.workers:
        assignments(workers, min(workers * chosen.partitions_each, 4_096), chosen.restarts)
        for rows in chosen.rows:
            lists(workers, rows)


if __name__ == "__main__":
    main()
