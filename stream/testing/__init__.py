"""Support for your own tests: event builders, and stories that test a policy in readable phrases.

A story is a mapping, usually in YAML:

    story: A chat that nobody answers is breached after half an hour
    policies: [batoi]                      # shipped names, or paths from the story's own folder
    zone: Asia/Kolkata
    ticket: {contract: priority-support, sender: registered, priority: p2, channel: chat}
    watching: [chat_answer]                # commitments and ladders; default: all
    happens:
      - 2026-11-16 10:00: created by customer
      - 2026-11-16 10:40: agent answers
    until: 2026-11-16 12:00
    then:
      - 2026-11-16 10:15: chat_answer warned 15m
      - 2026-11-16 10:30: chat_answer breached
      - 2026-11-16 10:40: chat_answer met_late

``then`` lists, in order, every effect on the watched commitments and ladders that was not retracted in the end. Routine effects
are included only with ``chatty: true``. ``deploys`` changes the policies on the way: effects of a deployment are always listed,
with their reason. ``docs/guides/stories.md`` has the phrases.
"""

from __future__ import annotations

from stream.testing.events import event, instant, local
from stream.testing.phrases import StoryError
from stream.testing.story import Story, play
from stream.testing.story_reader import read_stories, read_story

__all__ = ["Story", "StoryError", "event", "instant", "local", "play", "read_stories", "read_story"]
