"""The profile of Hypothesis: properties that state no number of examples are scaled as the others are."""

from __future__ import annotations

from hypothesis import settings

from tests.examples import examples

settings.register_profile("scaled", max_examples=examples(settings().max_examples))
settings.load_profile("scaled")
