"""Notices what happens to the topics and the cluster of a running worker: more partitions, a missing topic, a setting that
deletes or refuses records, another cluster.

Clients follow such changes without a word. A worker goes on with the partitions that it has, so records in others are read by
nobody, and the lag of those that it has stays at 0.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Final

from aiokafka.errors import KafkaError

from stream.runtime.kafka.outage import Outage
from stream.runtime.kafka.topic_admin import Metadata, admin_client, metadata, settings_of
from stream.runtime.kafka.topic_checks import ClusterTopics, TopicFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stream.runtime.kafka.topics import Topics

INTERVAL: Final = 10.0
"""Seconds between two questions to the cluster."""

log = logging.getLogger("stream.worker")


class OtherClusterError(Exception):
    """The address of the brokers leads to another cluster than at the start."""


class TopicWatch:
    """The problems of the topics, as of the last answer of the cluster."""

    def __init__(self, topics: Topics, partitions: int) -> None:
        """``partitions``: the partitions of the input that workers read."""
        self.unread = 0
        """Partitions of the input that no worker reads."""
        self.missing = 0
        """Topics that do not exist any more."""
        self.problem = ""
        """Why the installation does not read all events, in one line; empty: it does."""
        self.unsafe: tuple[str, ...] = ()
        """Settings with which records are refused, or deleted before they are read, each with its remedy."""
        self._topics: Final = topics
        self._partitions: Final = partitions
        self._cluster: str | None = None

    async def run(self, bootstrap: str, client: Mapping[str, Any], end: Callable[[OtherClusterError], object]) -> None:
        """Ask again and again until cancelled. While nobody answers, what was found last holds.

        ``end`` is called when the cluster is another one.
        """
        specs, outage = self._topics.specs(), Outage(bootstrap, time.monotonic)
        names = [spec.name for spec in specs]
        while True:
            try:
                async with admin_client(bootstrap, client) as admin:
                    while True:
                        answer = await metadata(admin, names)
                        outage.answer()
                        self.found(answer)
                        there = [spec for spec in specs if spec.name in answer.partitions]
                        self.found_settings(bootstrap, await settings_of(admin, there))
                        await asyncio.sleep(INTERVAL)
            except OtherClusterError as error:
                end(error)
                return
            except (KafkaError, OSError, TimeoutError) as error:
                outage.no_answer(error)
            await asyncio.sleep(INTERVAL)

    def found(self, answer: Metadata) -> None:
        """Compare an answer of the cluster with what the worker was started for. Raises OtherClusterError."""
        if self._cluster is None:
            self._cluster = answer.cluster
        elif answer.cluster != self._cluster:
            raise OtherClusterError(
                f"the brokers are now those of cluster {answer.cluster}, and this worker has the tickets of cluster "
                f"{self._cluster}: check where the address of the brokers leads"
            )
        problem = self._problem_of(answer)
        if problem != self.problem:
            if problem:
                log.error("not all events are read: %s", problem)
            else:
                log.info("all events are read again")
            self.problem = problem

    def found_settings(self, bootstrap: str, settings: Mapping[str, Mapping[str, str]]) -> None:
        """Check the settings of the topics, by the name of the topic. ``bootstrap``: for the commands in the remedies."""
        facts = {name: TopicFacts(self._partitions, empty=False, settings=found) for name, found in settings.items()}
        unsafe = tuple(ClusterTopics(bootstrap, self._topics, facts).setting_problems(self._topics.specs(), None))
        for problem in unsafe:
            if problem not in self.unsafe:
                log.error("records may be deleted or refused: %s", problem)
        if self.unsafe and not unsafe:
            log.info("the settings of the topics are right again")
        self.unsafe = unsafe

    def _problem_of(self, answer: Metadata) -> str:
        missing = [spec.name for spec in self._topics.specs() if spec.name not in answer.partitions]
        self.missing = len(missing)
        self.unread = max(0, len(answer.partitions.get(self._topics.events, ())) - self._partitions)
        if missing:
            return f"topic {missing[0]} is missing: find out who deleted it"
        if self.unread:
            return (
                f"topic {self._topics.events} has {self._partitions + self.unread} partitions, and workers read "
                f"{self._partitions}: stop all workers and run `breachwatch topics repartition`"
            )
        return ""
