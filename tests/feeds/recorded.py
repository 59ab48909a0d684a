"""Recorded payloads of helpdesks, and the events that they must give.

A folder has the name of a shipped mapping. ``payloads/*.json`` are in the order of their arrival. Such a file is a payload, or
a recorded request: an object with ``headers`` and ``body_text``, the exact text that is signed. ``events.jsonl`` has the events
of all payloads, in their order. ``secret.txt`` is the secret of the signatures. ``rt/scrip.jsonl`` is what the scrip of
``docs/feeds/rt-scrip.pl`` sent from a Request Tracker 5.0.3. ``shaped.txt`` states that the payloads are not
recorded but shaped by the vendor's documentation, and names it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
SYSTEMS = sorted(path.name for path in FOLDER.iterdir() if (path / "payloads").is_dir())
RECEIVED = 1_795_917_700_000_000
"""2026-11-29T02:01:40Z, the arrival of all payloads."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A payload, and its request if that was recorded."""

    name: str
    raw: bytes
    headers: dict[str, str]

    @property
    def payload(self) -> Any:
        return json.loads(self.raw)


def recorded(system: str) -> list[Recorded]:
    """The payloads of a helpdesk in the order of their arrival."""
    found = []
    for path in sorted((FOLDER / system / "payloads").glob("*.json")):
        data = json.loads(path.read_text("utf-8"))
        request = isinstance(data, dict) and data.keys() == {"headers", "body_text"}
        raw = data["body_text"].encode() if request else json.dumps(data).encode()
        found.append(Recorded(f"{system}/{path.name}", raw, data["headers"] if request else {}))
    return found


def expected(system: str) -> list[dict[str, Any]]:
    lines = (FOLDER / system / "events.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]
