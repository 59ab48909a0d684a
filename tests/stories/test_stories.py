"""Every story in this folder, told and checked. A new story is a new YAML document; no code is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from stream.testing import play, read_story

HERE = Path(__file__).parent
STORIES = [
    pytest.param(story, id=f"{file.stem}: {story['story']}")
    for file in sorted(HERE.glob("*.yaml"))
    for story in yaml.load(file.read_text(), Loader=yaml.BaseLoader)
]


@pytest.mark.parametrize("told", STORIES)
def test_a_story_comes_out_as_told(told: dict[str, Any]) -> None:
    story = read_story(told, HERE / "policies")

    assert list(story.told(play(story))) == list(story.expected)
