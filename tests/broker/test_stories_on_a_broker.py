"""The stories of the shipped policies, published all at once to a worker on a real broker, with the same effects."""

from __future__ import annotations

import shutil
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from stream.language.policies import shipped
from stream.testing import read_story
from tests.broker.running import Worker, all_committed, effects, publish, sent, tick, until

if TYPE_CHECKING:
    from stream.runtime.kafka.topics import Topics
    from stream.sla.effects import Effect

STORIES = Path(__file__).parents[1] / "stories"


@pytest.mark.parametrize("policy", ["batoi", "botpenguin", "baar"])
def test_a_worker_emits_for_every_story_of_a_policy_what_replay_does(
    broker: str, topics: Topics, tmp_path: Path, policy: str
) -> None:
    documents = yaml.load((STORIES / f"{policy}.yaml").read_text(), Loader=yaml.BaseLoader)
    stories = [read_story(story, STORIES / "policies") for story in documents if story["policies"] == [policy]]
    assert len(stories) >= len(documents) - 1  # one brings a policy of its own
    feed = sorted(
        # An event that comes late in its story comes here when the newest before it has.
        (max(earlier.at for _, earlier in story.feed[: place + 1]), number, place, event)
        for number, story in enumerate(stories)
        for place, (_, event) in enumerate(story.feed)
    )
    shutil.copy(shipped(policy), tmp_path / "policy.yaml")
    publish(
        broker,
        topics,
        [
            *(sent(f"{number:03}", event) for _, number, _, event in feed),
            *tick(max(story.until for story in stories)),
        ],
    )
    with Worker(broker, topics, tmp_path, "--clock", "event") as worker:
        until(lambda: all_committed(broker, topics), "all stories are processed", worker)
        worker.stop()

    emitted: dict[str, list[Effect]] = defaultdict(list)
    for effect, _ in effects(broker, topics):
        emitted[effect.ticket].append(effect)
    for number, story in enumerate(stories):
        # Time went on for all tickets to the end of the longest story.
        in_time = [effect for effect in emitted[f"{number:03}"] if effect.at < story.until]
        # Two topics have no order between them: what is of one instant may come either way.
        assert (story.name, sorted(story.lines(in_time))) == (story.name, sorted(story.expected))
