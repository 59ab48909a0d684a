"""Every story in this folder, told and checked. A new story is a new YAML document; no code is needed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from stream.testing import play, read_story

HERE = Path(__file__).parent


def _stories(file: Path) -> list[dict[str, Any]]:
    """Everything as text, so that ``yes`` and ``2026-11-16`` stay what they look like; only positions are numbers."""
    stories: list[dict[str, Any]] = yaml.load(file.read_text(), Loader=yaml.BaseLoader)
    for story in stories:
        if "arrives" in story:
            story["arrives"] = [int(number) for number in story["arrives"]]
    return stories


TOLD = [(file.stem, story) for file in sorted(HERE.glob("*.yaml")) for story in _stories(file)]


@pytest.mark.parametrize("told", [pytest.param(story, id=f"{stem}: {story['story']}") for stem, story in TOLD])
def test_a_story_comes_out_as_told(told: dict[str, Any]) -> None:
    story = read_story(told, HERE / "policies")

    assert list(story.told(play(story))) == list(story.expected)


def test_no_two_stories_of_a_file_have_the_same_name() -> None:
    counts = Counter((stem, story["story"]) for stem, story in TOLD)
    assert [name for name, count in counts.items() if count > 1] == []
