"""Writes the configuration of Prometheus and Alertmanager for the demo, based on the shipped files.

Only the addresses, the receivers and the pace differ. One webhook replaces all receivers. Every duration is divided by the
same number, so that an alert takes seconds instead of minutes while rules, ranges and waiting times keep their proportions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import yaml

from stream.runtime.setting_values import micros

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_DURATIONS: Final = frozenset(
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
"""The keys of these files whose values are durations."""
_IN_EXPRESSIONS: Final = re.compile(r"(?<=[\[:])\d+[smhd](?=[\]:])|(?<=offset )\d+[smhd]")
"""Durations in PromQL: ``[5m]``, ``[30d:5m]``, ``offset 1h``."""


def write_prometheus(shipped: Path, folder: Path, pace: int, workers: Sequence[str], itself: str, alertmanager: str) -> Path:
    """Write the configuration and the rules to ``folder``. The last three arguments are addresses, ``host:port``."""
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
    """Write the configuration, in which the webhook at this URL is the only receiver."""
    config = yaml.safe_load((shipped / "alertmanager.yml").read_text("utf-8"))
    config["receivers"] = [{"name": each["name"], "webhook_configs": [{"url": webhook}]} for each in config["receivers"]]
    return _write(folder / "alertmanager.yml", config, pace)


def _write(path: Path, config: object, pace: int) -> Path:
    paced = _paced(config, lambda duration: f"{micros(duration) // 1_000 // pace}ms")
    path.write_text(yaml.safe_dump(paced, width=1000), "utf-8")
    return path


def _paced(config: Any, shorter: Callable[[str], str]) -> Any:
    """The configuration with every duration replaced by ``shorter``."""
    if isinstance(config, list):
        return [_paced(each, shorter) for each in config]
    if not isinstance(config, dict):
        return config
    made = {}
    for key, value in config.items():
        if key in _DURATIONS:
            value = shorter(value)
        elif key == "expr":
            value = _IN_EXPRESSIONS.sub(lambda found: shorter(found[0]), value)
        made[key] = _paced(value, shorter)
    return made
