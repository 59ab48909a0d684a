"""The demo runs Prometheus and Alertmanager with the shipped files, changed only in addresses and pace."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from stream.demo.stack_files import write_alertmanager, write_prometheus
from tests.observability.contract import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SHIPPED = ROOT / "prometheus"
WORKERS = ["127.0.0.1:1001", "127.0.0.1:1002"]


def written(folder: Path, pace: int) -> dict[str, Any]:
    """Every file by its name, as it was read back."""
    made = write_prometheus(SHIPPED, folder, pace, WORKERS, "127.0.0.1:1003", "127.0.0.1:1004")
    other = write_alertmanager(SHIPPED, folder, pace, "http://127.0.0.1:1005/")
    return {path.name: yaml.safe_load(path.read_text("utf-8")) for path in (made, other, *(folder / "rules").iterdir())}


def shipped(name: str) -> Any:
    return yaml.safe_load((SHIPPED / name).read_text("utf-8"))


def test_at_pace_1_rules_and_routes_are_the_shipped_ones(tmp_path: Path) -> None:
    made = written(tmp_path, 1)

    def whole(config: Any) -> str:
        """Lengths of time in one unit, so that they can be compared."""
        units = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
        return re.sub(
            r"\b(\d+)(ms|[smhd])\b", lambda found: f"{int(found[1]) * units[found[2]]}ms", yaml.safe_dump(config, width=10_000)
        )

    for name in ("sla-alerts.yml", "sla-records.yml"):
        assert whole(made[name]) == whole(shipped(f"rules/{name}"))
    for part in ("route", "inhibit_rules"):
        assert whole(made["alertmanager.yml"][part]) == whole(shipped("alertmanager.yml")[part])
    assert whole(made["prometheus.yml"]["global"]) == whole(shipped("prometheus.yml")["global"])


def test_every_length_of_time_is_divided_by_the_pace(tmp_path: Path) -> None:
    made = written(tmp_path, 30)

    assert made["prometheus.yml"]["global"]["scrape_interval"] == "500ms"
    assert made["alertmanager.yml"]["route"]["group_wait"] == "1000ms"
    # Texts for people keep their minutes; everything that is computed is in milliseconds now.
    computed = re.compile(r"\[[^\]]*\]|offset \S+|^ *(?:for|interval): .*$", re.MULTILINE)
    for name in ("sla-alerts.yml", "sla-records.yml"):
        lengths = [
            length for found in computed.findall(yaml.safe_dump(made[name])) for length in re.findall(r"\d+[a-z]+", found)
        ]
        assert lengths
        assert all(length.endswith("ms") for length in lengths)


def test_workers_and_servers_are_found_where_they_are(tmp_path: Path) -> None:
    made = written(tmp_path, 30)

    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in made["prometheus.yml"]["scrape_configs"]}
    assert targets == {"breachwatch": WORKERS, "prometheus": ["127.0.0.1:1003"]}
    assert made["prometheus.yml"]["alerting"]["alertmanagers"][0]["static_configs"] == [{"targets": ["127.0.0.1:1004"]}]
    receivers = made["alertmanager.yml"]["receivers"]
    assert [each["name"] for each in receivers] == [each["name"] for each in shipped("alertmanager.yml")["receivers"]]
    assert all(each["webhook_configs"] == [{"url": "http://127.0.0.1:1005/"}] for each in receivers)


@pytest.mark.promtool
def test_both_servers_accept_the_files(tmp_path: Path) -> None:
    written(tmp_path, 30)

    for command in (["promtool", "check", "config", "prometheus.yml"], ["amtool", "check-config", "alertmanager.yml"]):
        assert shutil.which(command[0]), f"{command[0]} is missing"
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
