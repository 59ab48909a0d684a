"""The Compose file, checked without a container engine."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from http import HTTPStatus
from typing import Any

import click
import pytest
import yaml
from prometheus_client import CollectorRegistry

from stream import __version__
from stream.cli.gateway import command as gateway
from stream.cli.main import main
from stream.gateway.feed_definitions import FeedOptions
from stream.gateway.settings import GatewaySettings, load_gateway
from stream.language.policies import shipped
from stream.notify.rules_reader import read_rules
from stream.notify.settings import NotifySettings
from stream.observe.pages.routes import Routes
from stream.observe.pages.site import Answer
from stream.observe.server import serve
from stream.runtime.settings import ENTRIES, PREFIX, SettingsError, variable
from stream.runtime.settings_sources import load
from stream.runtime.table_settings import Sources, entries
from stream.writeback.settings import WritebackSettings
from tests.observability.contract import ROOT

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service["image"] == "breachwatch:local"]
NAMES = list(SERVICES)
JOBS = [name for name, service in SERVICES.items() if service["restart"] == "no"]
"""Services that end after one job."""
KEYS = {
    *("image", "build", "pull_policy", "restart", "init", "read_only", "tmpfs", "cap_drop", "security_opt"),
    *("environment", "command", "mem_limit", "logging"),
    *("profiles", "depends_on", "volumes", "ports", "expose", "deploy", "stop_grace_period", "healthcheck"),
}
CHECK_KEYS = {"disable", "test", "interval", "timeout", "retries", "start_period"}
LENGTH = re.compile(r"\d+(ms|s|m|h)")


def environment(name: str, **given: str) -> dict[str, str]:
    """A service's variables, with these in the environment of whoever starts it."""
    default = re.compile(r"\$\{(\w+):-([^}]*)\}")
    values = SERVICES[name].get("environment", {})
    return {key: default.sub(lambda found: given.get(found[1], found[2]), value) for key, value in values.items()}


@pytest.mark.parametrize("name", NAMES)
def test_every_key_and_every_length_of_time_is_valid_in_compose(name: str) -> None:
    service = SERVICES[name]

    assert service.keys() <= KEYS
    assert all(isinstance(value, str) for value in service.get("environment", {}).values()), "YAML would make 9300 a number"
    check = service.get("healthcheck", {})
    assert check.keys() <= CHECK_KEYS
    lengths = [check.get(key, "1s") for key in ("interval", "timeout", "start_period")]
    assert all(LENGTH.fullmatch(length) for length in [*lengths, service.get("stop_grace_period", "1s")])


@pytest.mark.parametrize("name", NAMES)
def test_an_image_is_pinned_to_a_version_or_built_here(name: str) -> None:
    image = SERVICES[name]["image"]

    assert name in OURS or re.fullmatch(r"[a-z./-]+:v?\d+\.\d+\.\d+", image)


def test_one_service_builds_the_image_and_the_others_start_after_it() -> None:
    """Several builds of one image name collide, and an image that is only on this machine must not be pulled."""
    (builder,) = [name for name in OURS if "build" in SERVICES[name]]
    waits = {name: list(SERVICES[name].get("depends_on", {})) for name in OURS}

    for name in set(OURS) - {builder}:
        assert SERVICES[name]["pull_policy"] == "never"
        while builder not in waits[name]:
            (name,) = waits[name]


def test_the_pages_of_the_workers_can_be_opened_on_this_machine() -> None:
    (ports,) = SERVICES["worker"]["ports"]
    first, last = map(int, re.fullmatch(r"127\.0\.0\.1:(\d+)-(\d+):9300", ports).groups())  # type: ignore[union-attr]

    assert last - first + 1 >= SERVICES["worker"]["deploy"]["replicas"]


@pytest.mark.parametrize("name", NAMES)
def test_mounts_are_files_of_the_repository_or_named_volumes(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source, _, rest = volume.partition(":")
        if source.startswith("./"):
            assert (ROOT / source).exists(), source
            assert rest.endswith(":ro"), volume
        else:
            assert source in COMPOSE["volumes"]


@pytest.mark.parametrize("name", NAMES)
def test_a_port_is_reachable_from_this_machine_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", NAMES)
def test_a_service_waits_for_services_that_exist_and_have_a_health_check(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        else:
            assert how["condition"] == "service_completed_successfully"
            assert SERVICES[other]["restart"] == "no"


@pytest.mark.parametrize("name", [name for name in NAMES if name not in JOBS])
def test_a_long_running_service_has_a_health_check_and_is_restarted(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_only_the_jobs_for_topics_and_feed_end() -> None:
    assert JOBS == ["topics", "feed"]
    assert {name: SERVICES[name].get("profiles") for name in NAMES if "profiles" in SERVICES[name]} == {
        "feed": ["feed"],
        "gateway": ["gateway"],
        "notify": ["notify"],
    }


def test_notify_has_rules_of_which_every_reference_is_a_variable_of_the_service() -> None:
    (mount,) = SERVICES["notify"]["volumes"]
    rules = read_rules(ROOT / mount.partition(":")[0] / "notify.yaml").rules

    references = {destination.apprise for destination in rules.destinations.values()}
    assert references == {f"env:{name}" for name in SERVICES["notify"]["environment"] if name.endswith("_URL")}
    assert f"port: {NotifySettings().listen.port}" in (ROOT / "prometheus/prometheus.yml").read_text("utf-8")
    assert SERVICES["notify"]["expose"] == [str(NotifySettings().listen.port)]


@pytest.mark.parametrize("clock", ["wall", "event"])
@pytest.mark.parametrize("name", [name for name in OURS if name not in ("gateway", "notify")])
def test_our_services_have_valid_settings(name: str, clock: str) -> None:
    variables = environment(name, BREACHWATCH_CLOCK=clock)

    assert variables.keys() <= {variable(setting) for setting in ENTRIES}
    settings = load({}, variables)
    assert settings.clock == clock
    assert settings.metrics_address == "0.0.0.0"
    assert f"{settings.metrics_port}" in SERVICES["worker"]["expose"]
    assert all(shipped(policy).exists() for policy in settings.policies)


def test_the_gateway_has_valid_settings_once_its_secret_is_given() -> None:
    service, secret = SERVICES["gateway"], "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQ="
    context = gateway.make_context("gateway", service["command"][1:])
    options = FeedOptions(*(context.params[name] for name in FeedOptions._fields))

    settings = load_gateway(Sources({}, environment("gateway", BREACHWATCH_APP_SECRET=secret), None), options)

    assert list(settings.feeds) == ["app"]
    assert f"127.0.0.1:{settings.listen.port}:{settings.listen.port}" in service["ports"]
    assert settings.metrics_address == "0.0.0.0"
    assert [str(settings.metrics_port)] == service["expose"]
    with pytest.raises(SettingsError, match="the secret is empty"):
        load_gateway(Sources({}, environment("gateway"), None), options)


def test_prometheus_scrapes_the_gateways_on_their_port() -> None:
    config = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text("utf-8"))
    (job,) = [job for job in config["scrape_configs"] if job["job_name"] == "breachwatch-gateway"]
    (gateways,) = job["dns_sd_configs"]

    assert gateways["names"] == ["gateway"]
    assert [str(gateways["port"])] == SERVICES["gateway"]["expose"]


@pytest.mark.parametrize("name", OURS)
def test_our_services_run_existing_commands_with_valid_options(name: str) -> None:
    arguments = SERVICES[name]["command"]

    command: click.Command = main
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), arguments[0])
        assert found is not None, arguments
        command, arguments = found, arguments[1:]
    command.make_context(name, list(arguments))


def test_our_services_can_do_nothing_to_the_machine() -> None:
    for name in OURS:
        assert SERVICES[name]["cap_drop"] == ["ALL"]
        assert SERVICES[name]["read_only"] is True
    workdir = [line.split()[1] for line in (ROOT / "Dockerfile").read_text("utf-8").splitlines() if line.startswith("WORKDIR")]
    assert workdir[-1] in SERVICES["worker"]["tmpfs"]


def test_two_workers_share_the_work_and_have_time_to_finish_it() -> None:
    assert SERVICES["worker"]["deploy"] == {"replicas": 2}
    assert int(environment("worker")["BREACHWATCH_PARTITIONS"]) >= 2
    assert SERVICES["worker"]["stop_grace_period"] == "30s"


def test_the_health_check_of_a_worker_is_a_program_that_asks_its_own_port() -> None:
    kind, python, option, program = SERVICES["worker"]["healthcheck"]["test"]

    assert (kind, python, option) == ("CMD", "python", "-c")
    compile(program, "healthcheck", "exec")
    assert f"http://127.0.0.1:{SERVICES['worker']['expose'][0]}/healthz" in program


def test_every_volume_is_used() -> None:
    used = {volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}

    assert COMPOSE["volumes"].keys() <= used


@pytest.mark.promtool
@pytest.mark.parametrize(("name", "program"), [("prometheus", "prometheus"), ("alertmanager", "prometheus-alertmanager")])
def test_prometheus_and_alertmanager_have_valid_options(name: str, program: str) -> None:
    helped = subprocess.run([program, "--help"], capture_output=True, text=True, check=False)
    known = helped.stdout + helped.stderr

    for option in SERVICES[name]["command"]:
        assert f"{option.partition('=')[0]}=" in known or f"{option.partition('=')[0]} " in known


def test_the_worker_uses_an_address_that_the_broker_advertises() -> None:
    kafka = SERVICES["kafka"]["environment"]

    advertised = dict(each.split("://") for each in kafka["KAFKA_ADVERTISED_LISTENERS"].split(","))
    assert environment("worker")[f"{PREFIX}BROKER"] == advertised["INSIDE"]
    assert f"{advertised['MACHINE']}:9092" in SERVICES["kafka"]["ports"]


def test_prometheus_scrapes_the_workers_on_their_port_and_sends_alerts_to_the_alertmanager() -> None:
    config = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text("utf-8"))
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    (workers,) = jobs["breachwatch"]["dns_sd_configs"]
    (targets,) = config["alerting"]["alertmanagers"][0]["static_configs"]

    assert workers["names"] == ["worker"]
    assert [str(workers["port"])] == SERVICES["worker"]["expose"]
    assert targets["targets"] == ["alertmanager:9093"]
    assert "127.0.0.1:9093:9093" in SERVICES["alertmanager"]["ports"]


def test_prometheus_scrapes_every_command_that_serves_metrics_on_its_usual_port() -> None:
    config = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text("utf-8"))
    ports = {job["job_name"]: job["dns_sd_configs"][0]["port"] for job in config["scrape_configs"] if "dns_sd_configs" in job}

    assert ports == {
        "breachwatch": int(ENTRIES["metrics_port"].default or ""),
        "breachwatch-gateway": int(entries(GatewaySettings)["metrics_port"].default or ""),
        "breachwatch-notify": NotifySettings().listen.port,
        "breachwatch-writeback": WritebackSettings(desks=("desk.yaml",)).listen.port,
    }


def test_exemplars_are_kept_because_the_dashboard_shows_them() -> None:
    assert "--enable-feature=exemplar-storage" in SERVICES["prometheus"]["command"]


def test_grafana_reads_prometheus_where_it_is() -> None:
    path = ROOT / "grafana/provisioning/datasources/prometheus.yml"
    (source,) = yaml.safe_load(path.read_text("utf-8"))["datasources"]

    assert source["url"] == "http://prometheus:9090"
    assert "127.0.0.1:9090:9090" in SERVICES["prometheus"]["ports"]


def test_every_password_in_the_file_can_be_set_from_outside() -> None:
    for service in SERVICES.values():
        for key, value in service.get("environment", {}).items():
            assert not re.search("PASSWORD|SECRET|TOKEN", key) or str(value).startswith("${"), key


def test_the_image_copies_existing_files_and_does_not_run_as_root() -> None:
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


def test_every_health_check_asks_a_port_of_its_own_service() -> None:
    ports = {"kafka": "19092", "worker": "9300", "prometheus": "9090", "alertmanager": "9093", "grafana": "3000"}
    ports["gateway"] = "9310"

    for name, port in ports.items():
        (asked,) = set(re.findall(r"(?:localhost|127\.0\.0\.1):(\d+)", shlex.join(SERVICES[name]["healthcheck"]["test"])))
        assert asked == port


@pytest.mark.parametrize("name", NAMES)
def test_a_service_can_fill_neither_the_memory_nor_the_disk_of_the_machine(name: str) -> None:
    service = SERVICES[name]

    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service["logging"] == {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}


def test_the_image_has_labels_of_this_version_and_a_health_check_that_asks_the_port_of_the_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = (ROOT / "Dockerfile").read_text("utf-8")
    (check,) = re.findall(r"^HEALTHCHECK .* CMD (\[.*\])$", image, re.MULTILINE)
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', image))
    _, _, program = json.loads(check)

    assert labels.keys() == {"title", "description", "licenses", "version"}
    assert labels["version"] == __version__
    for status in (200, 503):
        registry, healthy = CollectorRegistry(), Answer(HTTPStatus(status), "text/plain", b"")
        routes = Routes(registry, lambda: (True, ""))
        monkeypatch.setattr(routes, "answer", lambda _, healthy=healthy: healthy)
        server = serve("127.0.0.1", 0, routes)
        environment = {**os.environ, variable("metrics_port"): str(server.port), "http_proxy": "http://127.0.0.1:1"}
        done = subprocess.run([sys.executable, "-c", program], env=environment, timeout=30, check=False)
        server.close()
        assert (done.returncode == 0) == (status == 200)
