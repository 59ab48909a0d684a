"""Checks the topics of an installation: each problem with its remedy. Pure: ``topic_admin`` reads the cluster.

A topic that never had a record loses nothing if it is deleted and created again, and is then right in every respect. So that is
the remedy for an empty topic, whatever is wrong with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from stream.runtime.kafka.topics import Topics, TopicSpec


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """A topic as it is on the cluster."""

    partitions: int
    empty: bool
    """Whether it never had a record."""
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ClusterTopics:
    """The topics of an installation as they are."""

    bootstrap: str
    topics: Topics
    found: Mapping[str, TopicFacts]
    """By name. A missing topic is not in it."""

    def growth(self, partitions: int | None) -> str:
        """Advice for an input that has got more partitions than the tickets are in; empty: it has not.

        It is the only advice then. Whatever else could be advised would make the topics fit together without moving the
        tickets. ``partitions``: as configured.
        """
        tickets_in = self.tickets_in
        if tickets_in is None:
            return ""
        count = self.found[self.topics.events].partitions
        start = f"; then start workers with --partitions {count}" if partitions == count else ""
        return (
            f"topic {self.topics.events} has {count} partitions, and the tickets are in {tickets_in}: nobody reads "
            f"the events of the others; stop all workers and run `{self._command('repartition')}`{start}"
        )

    @property
    def tickets_in(self) -> int | None:
        """The partitions that tickets are in, if the input has got more since; else ``None``."""
        events, changelog = self.found.get(self.topics.events), self.found.get(self.topics.changelog)
        if events is None or changelog is None or events.partitions <= changelog.partitions:
            return None
        return None if events.empty and changelog.empty else changelog.partitions

    def problems(self, partitions: int | None) -> list[str]:
        """All problems but ``growth``. ``partitions``: as configured; ``None``: as many as the input topic has."""
        return self.problems_of(self.topics.specs(), partitions)

    def problems_of(self, specs: Sequence[TopicSpec], partitions: int | None) -> list[str]:
        """All problems of these topics."""
        events, tickets_in = self.found.get(self.topics.events), self.tickets_in
        wanted = tickets_in or (partitions if events is None else events.partitions)
        problems = []
        for spec in specs:
            facts = self.found.get(spec.name)
            if facts is None:
                problems.append(self.missing(spec.name, wanted))
            elif tickets_in is not None and spec.partitions is None:
                continue  # `growth` has the advice
            elif spec.name == self.topics.events:
                problems += self._input_count(facts, partitions)
            else:
                problems += self._count(spec, facts, wanted)
        return [*problems, *self.setting_problems(specs, wanted)]

    def setting_problems(self, specs: Sequence[TopicSpec], partitions: int | None) -> list[str]:
        """Settings of these topics with which records are refused, or deleted before they are read."""
        return [
            problem
            for spec in specs
            if spec.name in self.found
            for problem in self._settings(spec, self.found[spec.name], partitions)
        ]

    def retention_problems(self, specs: Sequence[TopicSpec]) -> list[str]:
        """Settings of these topics with which what is about people stays for longer than it should. They lose no record."""
        return [
            f"topic {spec.name} has {name}={actual[name]}, so what is about people stays longer than {most} ms: run "
            f"`{self._alter(spec.name, name, str(most))}`"
            for spec in specs
            if (facts := self.found.get(spec.name)) is not None
            for name, most in spec.at_most.items()
            if name in (actual := facts.settings) and not 0 <= int(actual[name]) <= most
        ]

    def missing(self, name: str, partitions: int | None) -> str:
        return f"topic {name} is missing: run `{self._create(partitions)}`"

    def _input_count(self, facts: TopicFacts, partitions: int | None) -> Iterator[str]:
        if partitions is None or facts.partitions == partitions:
            return
        setting = f"set BREACHWATCH_PARTITIONS={facts.partitions} (or --partitions {facts.partitions})"
        problem = f"topic {self.topics.events} has {facts.partitions} partitions, not {partitions}"
        if facts.empty:
            again = self._again(self.topics.events, partitions)
            yield f"{problem}, and no record: {again}; or, if {facts.partitions} is right, {setting}"
        else:
            yield f"{problem}: {setting}"

    def _count(self, spec: TopicSpec, facts: TopicFacts, partitions: int | None) -> Iterator[str]:
        wanted = spec.partitions or partitions
        if wanted is None or facts.partitions == wanted:
            return
        like = f" like {self.topics.events}" if spec.partitions is None else ""
        problem = f"topic {spec.name} has {facts.partitions} partitions, not {wanted}{like}"
        kept = f"{problem}: Kafka cannot take partitions away"
        if facts.empty:
            yield f"{problem}, and no record: {self._again(spec.name, partitions)}"
        elif spec.name == self.topics.policies:
            yield f"{kept}, and their order is lost; start under a new --app-id"
        elif spec.name == self.topics.changelog:
            # Deleting it would delete the state of every ticket.
            yield f"{problem}, and tickets are in it: start with a new --app-id, which builds new state"
        elif facts.partitions < wanted:
            yield f"{problem}: run `{self._create(partitions)}`"
        else:
            yield f"{kept}; if you can lose its records, {self._again(spec.name, partitions)}"

    def _settings(self, spec: TopicSpec, facts: TopicFacts, partitions: int | None) -> Iterator[str]:
        actual = facts.settings
        wrong = [
            (name, str(least)) for name, least in spec.at_least.items() if name in actual and -1 < int(actual[name]) < least
        ]
        wrong += [(name, value) for name, value in spec.exactly.items() if name in actual and actual[name] != value]
        if facts.empty and (remade := [each for each in wrong if each[0] in spec.settings]):
            wrong = [each for each in wrong if each not in remade]
            differing = ", ".join(f"{name}={actual[name]} instead of {value}" for name, value in remade)
            yield f"topic {spec.name} has {differing}, and no record: {self._again(spec.name, partitions)}"
        for name, value in wrong:
            yield f"topic {spec.name} has {name}={actual[name]}, not {value}: run `{self._alter(spec.name, name, value)}`"

    def _alter(self, topic: str, name: str, value: str) -> str:
        return f"kafka-configs.sh --bootstrap-server {self.bootstrap} --alter --topic {topic} --add-config {name}={value}"

    def _again(self, name: str, partitions: int | None) -> str:
        """The commands that make an empty topic anew."""
        delete = f"kafka-topics.sh --bootstrap-server {self.bootstrap} --delete --topic {name}"
        return f"run `{delete}` and then `{self._create(partitions)}`"

    def _create(self, partitions: int | None) -> str:
        return self._command("create") + (f" --partitions {partitions}" if partitions else "")

    def _command(self, name: str) -> str:
        prefix = f" --topic-prefix {self.topics.prefix}" if self.topics.prefix else ""
        return f"breachwatch topics {name} --broker {self.bootstrap} --app-id {self.topics.app_id}{prefix}"
