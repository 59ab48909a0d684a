"""What can be said of the Compose file without an engine to run it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from contract import ROOT

from stream.cli import COMMANDS
from stream.runtime.settings import ENTRIES, PREFIX, load, variable

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
NAMES = list(SERVICES)


@pytest.mark.parametrize("name", NAMES)
def test_an_image_is_pinned_to_a_version_or_built_here(name: str):
    image = SERVICES[name]["image"]

    assert name in OURS or re.fullmatch(r"[a-z./-]+:v?\d+\.\d+\.\d+", image)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_mounted_is_in_the_repository_and_what_is_kept_is_a_named_volume(name: str):
    for volume in SERVICES[name].get("volumes", []):
        source, _, rest = volume.partition(":")
        if source.startswith("./"):
            assert (ROOT / source).exists(), source
            assert rest.endswith(":ro"), volume
        else:
            assert source in COMPOSE["volumes"]


@pytest.mark.parametrize("name", NAMES)
def test_a_port_is_reachable_from_this_machine_only(name: str):
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", NAMES)
def test_a_service_waits_for_services_that_exist_and_can_tell_when_they_are_ready(name: str):
    for other, how in SERVICES[name].get("depends_on", {}).items():
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        else:
            assert how["condition"] == "service_completed_successfully"
            assert SERVICES[other]["restart"] == "no"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "topics"])
def test_a_service_that_runs_says_how_it_is(name: str):
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", OURS)
def test_our_services_are_set_by_variables_that_exist_to_values_that_are_accepted(name: str):
    environment = SERVICES[name]["environment"]

    assert environment.keys() <= {variable(setting) for setting in ENTRIES}
    settings = load({}, environment)
    assert settings.metrics_address == "0.0.0.0"
    assert f"{settings.metrics_port}" in SERVICES["worker"]["expose"]


@pytest.mark.parametrize("name", OURS)
def test_our_services_run_commands_that_exist(name: str):
    assert SERVICES[name]["command"][0] in COMMANDS


def test_the_worker_finds_the_broker_under_a_name_the_broker_gives_itself():
    kafka = SERVICES["kafka"]["environment"]

    advertised = dict(each.split("://") for each in kafka["KAFKA_ADVERTISED_LISTENERS"].split(","))
    assert SERVICES["worker"]["environment"][f"{PREFIX}BROKER"] == advertised["INSIDE"]
    assert f"{advertised['MACHINE']}:9092" in SERVICES["kafka"]["ports"]


def test_prometheus_scrapes_the_workers_on_their_port_and_sends_alerts_to_the_alertmanager():
    config = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text("utf-8"))
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    (workers,) = jobs["breachwatch"]["dns_sd_configs"]
    (targets,) = config["alerting"]["alertmanagers"][0]["static_configs"]

    assert workers["names"] == ["worker"]
    assert [str(workers["port"])] == SERVICES["worker"]["expose"]
    assert targets["targets"] == ["alertmanager:9093"]
    assert "127.0.0.1:9093:9093" in SERVICES["alertmanager"]["ports"]


def test_exemplars_are_kept_because_the_dashboard_shows_them():
    assert "--enable-feature=exemplar-storage" in SERVICES["prometheus"]["command"]


def test_grafana_reads_prometheus_where_it_is():
    path = ROOT / "grafana/provisioning/datasources/prometheus.yml"
    (source,) = yaml.safe_load(path.read_text("utf-8"))["datasources"]

    assert source["url"] == "http://prometheus:9090"
    assert "127.0.0.1:9090:9090" in SERVICES["prometheus"]["ports"]


def test_no_password_stands_in_the_file_that_cannot_be_changed_from_outside():
    for service in SERVICES.values():
        for key, value in service.get("environment", {}).items():
            assert not re.search("PASSWORD|SECRET|TOKEN", key) or str(value).startswith("${"), key


def test_the_image_copies_what_is_there_and_runs_as_nobody_special():
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    copied = [word for line in lines if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]]
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()

    assert copied
    for source in copied:
        assert (ROOT / source).exists()
        assert f"!{source}" in ignored
    assert all(re.fullmatch(r"python:\d+\.\d+\.\d+-[a-z-]+", base) for base in bases)
    user = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert user
    assert user[-1] not in ("root", "0")
