"""The deployments of a running worker: the log as it was at the start, and what is appended to it afterwards.

The worker reads the log to its end before it joins its group, and follows it from then on. A record becomes the engine's newest
deployment as soon as it is read. It holds from an instant a few seconds ahead, so that all workers know it before it does. A
worker that is behind goes on, and corrects what it emitted meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from stream.deployments.log import Added, Reason
from stream.deployments.snapshot import fingerprint
from stream.runtime.abort import abort
from stream.runtime.kafka.policy_log import NewerLogError, PolicyLogError, newer
from stream.runtime.kafka.policy_tail import Tail
from stream.wire.instants import format_instant

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream.deployments.log import Entry, Log, Void
    from stream.runtime.kafka.policy_log import LogRecord, PolicyLog, ReadLog
    from stream.sla.engine import Engine
    from stream.sla.policy.resolve import PolicySet

log = logging.getLogger("stream.worker")


class DeploymentFollower:
    """Keeps the engine's deployments as the log has them."""

    def __init__(self, policy_log: PolicyLog, read: ReadLog, engine: Engine, files: PolicySet) -> None:
        """``read``: the log at the start, which ``engine`` has. ``files``: the policies that the worker was given."""
        self.log: Final[Log] = read.log
        self.void: Final[list[Void]] = [void for void in read.void if void.reason is Reason.UNREADABLE]
        """Records that are void because they cannot be read."""
        self.files: Final = fingerprint(files)
        """Fingerprint of the policies that the worker was given."""
        self.engine: Final = engine
        self.listeners: list[Callable[[Entry], None]] = []
        """Called after the engine has a new deployment."""
        self.tail: Final = Tail(policy_log, read.end)
        for void in self.void:
            log.error("%s: it is ignored", void.text)
        if self.files != self.newest.fingerprint:
            log.warning(
                "the policy files of this worker differ from deployment %d, which is in force: run `breachwatch deploy` to put "
                "them in force, or give the worker the files that were deployed",
                self.newest.number,
            )

    @property
    def newest(self) -> Entry:
        """The newest deployment. The log of a running worker has one at least."""
        newest = self.log.last
        if newest is None:
            raise RuntimeError("the log of deployments is empty")
        return newest

    async def run(self) -> None:
        """Follow the log until it is cancelled. Ends the worker when the log cannot be used any more."""
        try:
            async for record in self.tail.records():
                # In a thread: a set of a thousand policies takes a second, in which deadlines would wait.
                self.know(await asyncio.to_thread(self.log.add, *record))
        except PolicyLogError as error:
            abort("on following the log of deployments", error)

    def take(self, record: LogRecord) -> None:
        """Take the next record of the log. Raises NewerLogError for one that only a newer release can read."""
        self.know(self.log.add(*record))

    def know(self, added: Added | Void) -> None:
        """Go by what the log has added. Raises NewerLogError for a record that only a newer release can read."""
        if isinstance(added, Added):
            self.engine.deployments = added.deployments
            entry = added.entry
            log.info(
                "deployment %d (%s) is known: policies %s, in force from %s",
                entry.number,
                entry.kind,
                entry.fingerprint,
                format_instant(entry.at),
            )
            for listener in self.listeners:
                listener(entry)
        elif added.reason is Reason.NEWER_FORM:
            raise NewerLogError(newer(added))
        elif added.reason is Reason.UNREADABLE:
            log.error("%s: it is ignored", added.text)
            self.void.append(added)
        else:
            log.info("%s: it is void", added.text)
