"""How many events a core maps: payloads of helpdesks to ticket events, accepted by the product's decoder.

    python benchmarks/mapping.py [--payloads 4000]

The first figures are for one captured payload (libredesk, 2.3 KB) and one event of seven values: by a mapping of dotted paths,
a template, a table and a first match, and by the same mapping with filters, which JMESPath's interpreter evaluates. The others
are the captured payloads of each helpdesk by its shipped mapping. Payloads are parsed beforehand. The time is that of the
process, so that other work on the machine counts less.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from time import process_time
from timeit import repeat
from typing import TYPE_CHECKING, Any, Final

import orjson
from figures import figure, machine

from stream.feeds.mapping import load, shipped
from stream.feeds.reading import read

if TYPE_CHECKING:
    from stream.feeds.mapping import FeedMapping

CAPTURED: Final = Path(__file__).parents[1] / "tests/feeds"
RECEIVED: Final = 1_795_917_700_000_000
ROUNDS: Final = 15
DOTTED: Final = """\
source: desk
tables: {status: {Open: open, Snoozed: pending, Resolved: solved, Closed: closed}}
common:
  ticket: "{payload.conversation.reference_number}"
  at: "{payload.conversation.updated_at}"
  actor: [{when: payload.actor_id, is: agent}, {is: system}]
events:
  - when: event == 'conversation.status_changed'
    say:
      type: ticket.changed
      id: "{payload.conversation.uuid}/{payload.conversation.updated_at}"
      fields:
        status: {from: "{payload.new_status}", table: status}
        priority: "{payload.conversation.priority}"
        team: "{payload.conversation.assigned_team_id}"
"""
FILTERS: Final = DOTTED.replace("{payload.conversation.", "{values(payload)[?uuid] | [0].")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--payloads", type=int, default=4_000, help="of a round; %(default)s")
    count = options.parse_args().payloads
    print(machine())
    (snoozed,) = payloads("libredesk", "013-*.json")
    for what, text in (("dotted paths", DOTTED), ("filters", FILTERS)):
        measure(f"map a payload by {what}", mapping_of(text), [snoozed], 80_000 if what == "dotted paths" else None, count)
    for name in shipped():
        measure(f"map the payloads of {name}", load(name), payloads(name, "*.json"), None, count)


def mapping_of(text: str) -> FeedMapping:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "desk.yaml"
        file.write_text(text, "utf-8")
        return load(file)


def payloads(name: str, pattern: str) -> list[Any]:
    found = [json.loads(file.read_text("utf-8")) for file in sorted((CAPTURED / name / "payloads").glob(pattern))]
    return [orjson.loads(one["body_text"]) if "body_text" in one else one for one in found]


def measure(what: str, mapping: FeedMapping, documents: list[Any], target: float | None, count: int) -> None:
    """Events a second; of payloads without an event the time counts too. ``count``: payloads of a round."""
    headers = {"content-type": "application/json"}

    def work() -> int:
        return sum(len(read(mapping, document, headers, RECEIVED).events) for document in documents)

    events = work()
    if not events:  # Freshdesk's webhooks only state that something changed
        return
    loops = max(1, count // len(documents))
    rounds = [events * loops / spent for spent in repeat(work, number=loops, repeat=ROUNDS, timer=process_time)]
    figure(f"{what}, {len(documents)} payloads, {events} events", rounds, "events/s", target, least=True)


if __name__ == "__main__":
    main()
