"""What is deployed in a run: the policies of ``policy.yaml`` after one edit or several, as people make them.

Targets and thresholds stay whole minutes. The target of gold tickets of priority p1 for their first response stays as it is,
because the canaries of a run wait for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from stream.language.policies import load
from stream.wire.instants import format_instant

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from stream.sla.policy.resolve import PolicySet

POLICY: Final = Path(__file__).parent / "policy.yaml"
Data = dict[str, Any]
"""A policy file."""


def variant(random: Random, now: int) -> Data:
    """The policy file after some edits; now and then as it is. ``now``: a whole minute, epoch microseconds."""
    text = POLICY.read_text("utf-8")
    if random.random() < 0.3:
        text = text.replace(":50", ":40")  # other hours
    # YAML takes the key `on` for a truth value.
    data: Data = yaml.safe_load(text.replace(" on: ", " 'on': "))
    for edit in random.sample(EDITS, random.choice([0, 1, 1, 1, 2, 3, 4])):
        edit(data, now)
    for policy in data["policies"]:
        if not policy.get("escalations", True):
            del policy["escalations"]
    if random.random() < 0.1:
        data["policies"] = [one for one in data["policies"] if one["policy"] != "patient"]  # withdrawn
    return data


def read(data: Data, file: Path) -> PolicySet:
    """The set of a policy file, which is written to ``file``."""
    file.write_text(yaml.safe_dump(data, sort_keys=False), "utf-8")
    return load([file])


def _policy(data: Data, name: str) -> Data:
    found: Data = next(one for one in data["policies"] if one["policy"] == name)
    return found


def _commitment(data: Data, metric: str) -> Data:
    """That of the policy ``patient`` on ``agent_work``, or of ``hurried`` on any other metric, whatever it is called."""
    policy = _policy(data, "patient" if metric == "agent_work" else "hurried")
    found: Data = next(one for one in policy["commitments"] if one["metric"] == metric)
    return found


def shorter(data: Data, _now: int) -> None:
    _commitment(data, "resolution")["target"] = {"p1": "8m", "p2": "16m", "default": "24m"}
    _commitment(data, "agent_work")["target"] = {"p1": "0.2bh", "p2": "0.2bh", "default": "0.6bh"}
    _commitment(data, "next_response")["target"] = "4m"


def longer(data: Data, _now: int) -> None:
    _commitment(data, "resolution")["target"] = {"p1": "20m", "p2": "32m", "default": "60m"}
    _commitment(data, "agent_work")["target"] = {"p1": "0.4bh", "p2": "0.6bh", "default": "2bh"}
    _commitment(data, "next_response")["target"] = "12m"


def a_target_less(data: Data, _now: int) -> None:
    """For some priorities nothing is promised any more."""
    _commitment(data, "resolution").update({"target": {"p1": "12m"}, "warn_at": {"p1": ["50%", "75%"]}})


def other_warnings(data: Data, _now: int) -> None:
    resolution = _commitment(data, "resolution")
    resolution["warn_at"] = {"p1": ["25%", "75%"]} | ({"p2": "50%"} if "p2" in resolution["target"] else {})
    _commitment(data, "agent_work")["warn_at"] = {"p2": "75%"}
    del _commitment(data, "next_response")["warn_at"]


def no_ladder(data: Data, _now: int) -> None:
    _policy(data, "hurried")["escalations"] = []


def other_levels(data: Data, _now: int) -> None:
    levels = [
        {"level": "lead", "notify": ["lead"], "at": "50%"},
        {"level": "boss", "notify": ["boss"], "at": "75%", "repeat_every": "4m", "max_repeats": 3},
        {"level": "manager", "notify": ["manager"], "at": "+1m"},
    ]
    for ladder in _policy(data, "hurried")["escalations"]:
        ladder["levels"] = levels


def renamed(data: Data, _now: int) -> None:
    fix = _commitment(data, "resolution")
    fix |= {"name": "fix", "was": "resolution"}
    for ladder in _policy(data, "hurried")["escalations"]:
        ladder["on"] = "fix"


def renamed_ladder(data: Data, _now: int) -> None:
    for ladder in _policy(data, "patient")["escalations"]:
        ladder |= {"ladder": "second-line", "was": "patient-team"}


def pauses(data: Data, _now: int) -> None:
    _commitment(data, "next_response")["pauses"] = ["pending"]
    _commitment(data, "agent_work")["pauses"] = ["on_hold"]


def second_version(data: Data, now: int) -> None:
    """For what begins from five minutes ago on."""
    first = _policy(data, "patient")
    second = yaml.safe_load(yaml.safe_dump(first))
    second |= {"version": 2, "since": format_instant(now - 5 * 60_000_000)}
    second["commitments"][1]["target"] = {"p1": "0.4bh", "default": "0.6bh"}
    second["commitments"][1]["warn_at"] = {"p1": "50%"}
    data["policies"].insert(data["policies"].index(first) + 1, second)


def in_front(data: Data, _now: int) -> None:
    data["policies"].insert(
        0,
        {
            "policy": "second-to-none",
            "version": 1,
            "applies_to": {"contract": "gold", "priority": "p2"},
            "calendar": "always",
            "commitments": [
                {"metric": "first_response", "target": "6m", "warn_at": "50%"},
                {"metric": "resolution", "name": "cure", "target": "16m", "warn_at": "75%"},
            ],
        },
    )


EDITS: Final[list[Callable[[Data, int], None]]] = [
    shorter,
    longer,
    a_target_less,
    other_warnings,
    no_ladder,
    other_levels,
    renamed,
    renamed_ladder,
    pauses,
    second_version,
    in_front,
]
