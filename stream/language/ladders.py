"""One entry of ``escalations``: a ladder and its levels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from stream.documents.readers import (
    items,
    listed,
    part,
    read_count,
    read_name,
    read_role,
    read_roles,
    read_team,
    read_word,
    read_yes_no,
    section,
    shown,
    suggestion,
    under,
)
from stream.language.choices import read_choice
from stream.language.conditions import read_clock_condition
from stream.language.metrics import STOPWATCH_KEYS, read_metric_keys
from stream.language.renames import check_renames, read_was
from stream.language.thresholds import read_after, read_at, read_target
from stream.sla.policy.conditions import ALWAYS, Condition
from stream.sla.policy.metric import Again, metric_name
from stream.sla.policy.policy import Ladder, LadderKind, Level

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from stream.documents.document import Report
    from stream.sla.policy.metric import Metric

_KEYS: Final = (
    "ladder",
    "kind",
    "on",
    "when",
    "owner",
    "levels",
    "on_request",
    "raise_again_after",
    "monitoring",
    "was",
    *STOPWATCH_KEYS,
)
_LEVEL_KEYS: Final = (
    "level",
    "notify",
    "at",
    "after",
    "repeat_every",
    "max_repeats",
    "only_in_business_hours",
    "assign_to",
    "was",
)


def read_ladder(data: object, report: Report, policy: str, commitments: Collection[str]) -> Ladder | None:
    """A ladder of one version of a policy that has commitments of these names; ``None`` after what is wrong was reported."""
    entry = section(data, report, _KEYS, required=("ladder", "kind", "levels"))
    if entry is None:
        return None
    name = part(entry, "ladder", report, read_name)
    kind = part(entry, "kind", report, read_word(LadderKind))
    when: Condition | None = part(entry, "when", report, read_clock_condition) if "when" in entry else ALWAYS
    levels = part(entry, "levels", report, lambda value, here: _read_levels(value, here, on_own="on" not in entry))
    if kind is LadderKind.HIERARCHICAL:
        _refuse_teams(entry, report)
    commitment = part(entry, "on", report, lambda value, here: _read_reference(value, here, "commitment", commitments))
    metric = _own_metric(entry, report, policy, name or "")
    names = [str(level["level"]) for level in _mappings(entry.get("levels")) if "level" in level]
    request = part(entry, "on_request", report, lambda value, here: _read_request(value, here, names, commitments))
    level, after = request if request is not None else ("", "")
    owner = part(entry, "owner", report, read_role) or ""
    again = part(entry, "raise_again_after", report, read_target)
    monitoring = part(entry, "monitoring", report, read_target)
    was = read_was(entry, report, name)
    if name is None or kind is None or when is None or levels is None or (metric is None and commitment is None):
        return None
    return Ladder(name, kind, levels, metric, commitment or "", when, owner, again, level, after, monitoring, was)


def _own_metric(entry: Mapping[str, object], report: Report, policy: str, name: str) -> Metric | None:
    """The ladder's own stopwatch; ``None`` for a ladder that stands on a commitment."""
    given = {key: entry[key] for key in STOPWATCH_KEYS if key in entry}
    if "on" in entry:
        for key in given:
            report((key,), "the ladder stands on a commitment (`on`), which determines when its stopwatch starts and stops")
        return None
    if not given:
        report((), "must stand on something: `on: <commitment>`, or `starts` and `stops` of its own")
        return None
    # Whoever escalates wants the problem solved: a ticket that is opened again takes the ladder up where it stood.
    metric = read_metric_keys(given, report, None, again=Again.CONTINUE)
    return replace(metric, name=metric_name(f"{policy}/{name}", metric)) if metric is not None else None


def _read_levels(data: object, report: Report, *, on_own: bool) -> tuple[Level, ...] | None:
    levels = items(data, report, lambda item, here: _read_level(item, here, on_own=on_own))
    known = [level for level in levels or () if level is not None]
    if not levels or len(known) < len(levels):
        return None
    for index, level in enumerate(known):
        if level.name in [earlier.name for earlier in known[:index]]:
            report((index, "level"), f"the ladder already has a level `{level.name}`")
    check_renames((level, under(report, index)) for index, level in enumerate(known))
    return tuple(known)


def _refuse_teams(entry: Mapping[str, object], report: Report) -> None:
    for index, level in enumerate(_mappings(entry.get("levels"))):
        if "assign_to" in level:
            report(("levels", index, "assign_to"), "only a ladder of `kind: functional` hands a ticket over to a team")


def _read_level(data: object, report: Report, *, on_own: bool) -> Level | None:
    entry = section(data, report, _LEVEL_KEYS, required=("level", "notify"))
    if entry is None:
        return None
    name = part(entry, "level", report, read_name)
    notify = part(entry, "notify", report, read_roles)
    repeat_every = part(entry, "repeat_every", report, read_target)
    max_repeats = part(entry, "max_repeats", report, read_count)
    business = part(entry, "only_in_business_hours", report, read_yes_no)
    if ("repeat_every" in entry) != ("max_repeats" in entry):
        missing = "max_repeats" if "repeat_every" in entry else "repeat_every"
        report((), f"`{missing}` is missing: repeating needs both how often and how many times")
    if ("at" in entry) == ("after" in entry):
        report((), "needs an instant: either `at` (75%, -30m, +2bh) or `after` (time since the start)")
        return None
    if "at" in entry and on_own:
        report(("at",), "a ladder on a stopwatch of its own has no target and no deadline; use `after`")
        return None
    if "at" in entry:
        threshold = part(entry, "at", report, lambda value, here: read_choice(value, here, read_at))
    else:
        threshold = part(entry, "after", report, lambda value, here: read_choice(value, here, read_after))
    teams = part(entry, "assign_to", report, lambda value, here: read_choice(value, here, read_team))
    was = read_was(entry, report, name)
    if name is None or notify is None or threshold is None or ("assign_to" in entry and teams is None):
        return None
    return Level(name, notify, threshold, repeat_every, max_repeats or 0, bool(business), teams, was)


def _read_request(
    data: object, report: Report, levels: Collection[str], commitments: Collection[str]
) -> tuple[str, str] | None:
    """``on_request``: the level a customer's request raises, and the commitment whose target must have passed before."""
    entry = section(data, report, ("level", "after"), required=("level",))
    if entry is None:
        return None
    level = part(entry, "level", report, lambda value, here: _read_reference(value, here, "level", levels))
    after = part(entry, "after", report, lambda value, here: _read_reference(value, here, "commitment", commitments))
    return level or "", after or ""


def _read_reference(data: object, report: Report, what: str, names: Collection[str]) -> str | None:
    if not isinstance(data, str) or data not in names:
        known = f"; there are {listed(names)}" if names else "; there is none"
        place = "policy" if what == "commitment" else "ladder"
        report((), f"the {place} has no {what} {shown(data)}{suggestion(str(data), names)}{known}")
        return None
    return data


def _mappings(data: object) -> list[dict[str, object]]:
    return [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []
