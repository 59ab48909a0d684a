"""Runs every story in this folder. A new story is a new YAML document; it needs no code."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from stream.sla.engine import Engine
from stream.sla.playback import Playback
from stream.testing import play, read_stories, read_story

HERE = Path(__file__).parent


STORIES = [(file.stem, story) for file in sorted(HERE.glob("*.yaml")) for story in read_stories(file)]


@pytest.mark.parametrize("data", [pytest.param(story, id=f"{stem}: {story['story']}") for stem, story in STORIES])
def test_a_story_has_the_effects_that_it_lists(data: dict[str, Any]) -> None:
    story = read_story(data, HERE / "policies")

    assert list(story.lines(play(story))) == list(story.expected)


@pytest.mark.parametrize("data", [pytest.param(story, id=f"{stem}: {story['story']}") for stem, story in STORIES])
def test_a_story_emits_no_id_twice(data: dict[str, Any]) -> None:
    counts = Counter(effect.id for effect in play(read_story(data, HERE / "policies")))

    assert [id_ for id_, count in counts.items() if count > 1] == []


DEPLOYED = [story for _, story in STORIES if "deploys" in story]


@pytest.mark.parametrize("data", [pytest.param(story, id=story["story"]) for story in DEPLOYED])
def test_a_story_of_deployments_ends_the_same_when_they_are_known_from_the_beginning(data: dict[str, Any]) -> None:
    story = read_story(data, HERE / "policies")
    playback = Playback(Engine(story.policies))
    for deploy in story.deploys:
        playback.deploy(deploy.holds_from, deploy.policies)
    effects = [effect for ticket, event in story.feed for effect in playback.event(ticket, event)]
    effects += playback.tick(story.until)

    assert [line.partition(" (")[0] for line in story.lines(effects)] == [line.partition(" (")[0] for line in story.expected]


def test_no_two_stories_of_a_file_have_the_same_name() -> None:
    counts = Counter((stem, story["story"]) for stem, story in STORIES)
    assert [name for name, count in counts.items() if count > 1] == []
