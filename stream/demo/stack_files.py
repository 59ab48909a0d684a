"""The configuration of Prometheus and Alertmanager for the demo, made from the files that ship.

Other are only the addresses, who is told (one webhook instead of people), and the pace: every length of time is divided by
the same number, so that an alert needs seconds instead of minutes, and rules, ranges and waiting times still fit each other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import yaml

from stream.runtime.setting_values import micros

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_LENGTHS: Final = frozenset(
    {
        "scrape_interval",
        "evaluation_interval",
        "interval",
        "for",
        "keep_firing_for",
        "group_wait",
        "group_interval",
        "repeat_interval",
    }
)
"""Keys whose values are lengths of time, in any of the files."""
_IN_EXPRESSIONS: Final = re.compile(r"(?<=[\[:])\d+[smhd](?=[\]:])|(?<=offset )\d+[smhd]")
"""Lengths of time in PromQL: ``[5m]``, ``[30d:5m]``, ``offset 1h``."""


def write_prometheus(shipped: Path, folder: Path, pace: int, workers: Sequence[str], itself: str, alertmanager: str) -> Path:
    """Its file, with the rules beside it, in ``folder``; the last three arguments are addresses, ``host:port``."""
    config = yaml.safe_load((shipped / "prometheus.yml").read_text("utf-8"))
    targets = {"breachwatch": list(workers), "prometheus": [itself]}
    jobs = [job for job in config["scrape_configs"] if job["job_name"] in targets]
    for job in jobs:
        for discovery in [key for key in job if key.endswith("_sd_configs")]:
            del job[discovery]
        job["static_configs"] = [{"targets": targets[job["job_name"]]}]
    config["scrape_configs"] = jobs
    config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    config["rule_files"] = [str(folder / pattern) for pattern in config["rule_files"]]
    (folder / "rules").mkdir()
    for rules in sorted((shipped / "rules").glob("*.yml")):
        _write(folder / "rules" / rules.name, yaml.safe_load(rules.read_text("utf-8")), pace)
    return _write(folder / "prometheus.yml", config, pace)


def write_alertmanager(shipped: Path, folder: Path, pace: int, webhook: str) -> Path:
    """Its file, in which every receiver is the webhook at this URL."""
    config = yaml.safe_load((shipped / "alertmanager.yml").read_text("utf-8"))
    config["receivers"] = [{"name": each["name"], "webhook_configs": [{"url": webhook}]} for each in config["receivers"]]
    return _write(folder / "alertmanager.yml", config, pace)


def _write(path: Path, config: object, pace: int) -> Path:
    path.write_text(yaml.safe_dump(_paced(config, lambda length: f"{micros(length) // 1_000 // pace}ms"), width=1000), "utf-8")
    return path


def _paced(config: Any, shorter: Callable[[str], str]) -> Any:
    """The same, every length of time in it replaced."""
    if isinstance(config, list):
        return [_paced(each, shorter) for each in config]
    if not isinstance(config, dict):
        return config
    made = {}
    for key, value in config.items():
        if key in _LENGTHS:
            value = shorter(value)
        elif key == "expr":
            value = _IN_EXPRESSIONS.sub(lambda found: shorter(found[0]), value)
        made[key] = _paced(value, shorter)
    return made
