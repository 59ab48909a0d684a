"""The profile of Hypothesis: properties that state no number of examples are scaled as the others are.

Tests run the source, also where ``make compile`` has built it; ``tests/compiled`` has the tests of what is built.
"""

from __future__ import annotations

import os

os.environ["BREACHWATCH_INTERPRETED"] = "yes"  # before anything is imported that imports ``stream``

from hypothesis import settings

from tests.examples import examples

settings.register_profile("scaled", max_examples=examples(settings().max_examples))
settings.load_profile("scaled")
