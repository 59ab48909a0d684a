"""The manifests for Kubernetes: current, and in the words of the settings and pages that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.render import CHART, MANIFESTS, digest
from stream import __version__
from stream.cli.main import COMMANDS
from stream.language.policies import load
from stream.observe.pages.routes import HEALTH
from stream.runtime.settings import ENTRIES, FILE, SECRETS, variable

DOCUMENTS: list[dict[str, Any]] = [one for one in yaml.safe_load_all(MANIFESTS.read_text("utf-8")) if one]
KNOWN = {*map(variable, ENTRIES), *(variable(name) + FILE for name in SECRETS)}


def _pods() -> list[dict[str, Any]]:
    return [one["spec"]["template"]["spec"] for one in DOCUMENTS if one["kind"] in ("Deployment", "Job")]


def _of_kind(kind: str) -> dict[str, Any]:
    (found,) = [one for one in DOCUMENTS if one["kind"] == kind]
    return found


def test_the_manifests_are_those_of_the_chart() -> None:
    assert f"chart {digest()}." in MANIFESTS.read_text("utf-8"), "the chart has changed: run `make manifests`"


def test_every_variable_is_one_that_a_command_reads() -> None:
    variables = {variable["name"] for pod in _pods() for one in pod["containers"] for variable in one["env"]}
    of_secrets = re.findall(r'"([A-Z_]+)"', (CHART / "templates/_helpers.tpl").read_text("utf-8"))

    assert variables - {"POD_IP"} <= KNOWN
    assert len(of_secrets) == 9
    assert {f"BREACHWATCH_{name}" for name in of_secrets} <= KNOWN


def test_every_container_runs_a_command_of_the_image_of_this_version_without_rights() -> None:
    for pod in _pods():
        (container,) = pod["containers"]
        assert container["args"][0] in COMMANDS
        assert container["image"] == f"breachwatch:{__version__}"
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert pod["securityContext"]["runAsNonRoot"]
        # Otherwise Kubernetes sets variables that begin as ours do for the service.
        assert pod["enableServiceLinks"] is False


def test_probes_ask_what_a_worker_answers_without_a_token() -> None:
    (container,) = _of_kind("Deployment")["spec"]["template"]["spec"]["containers"]
    paths = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("liveness", "readiness", "startup")}

    assert paths == {"liveness": "/healthz", "readiness": "/readyz", "startup": "/healthz"}
    assert set(paths.values()) == HEALTH


def test_a_worker_is_stopped_before_its_successor_starts_and_has_the_time_to_leave() -> None:
    spec = _of_kind("Deployment")["spec"]

    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] >= 30
    assert _of_kind("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize("kind", ["Service", "PodDisruptionBudget", "NetworkPolicy"])
def test_what_selects_workers_selects_the_workers_alone(kind: str) -> None:
    spec = _of_kind(kind)["spec"]
    selector = spec["selector"] if kind == "Service" else spec.get("podSelector", spec.get("selector"))["matchLabels"]
    workers, topics = (_of_kind(one)["spec"]["template"]["metadata"]["labels"] for one in ("Deployment", "Job"))

    assert selector.items() <= workers.items()
    assert not selector.items() <= topics.items()


def test_the_policies_are_valid_and_the_worker_finds_them(tmp_path: Path) -> None:
    files = _of_kind("ConfigMap")["data"]
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")
    (container,) = _of_kind("Deployment")["spec"]["template"]["spec"]["containers"]
    (policies,) = [one["value"] for one in container["env"] if one["name"] == "BREACHWATCH_POLICIES"]

    assert load([tmp_path / Path(path).name for path in policies.split(",")]).policies


def test_the_unit_for_systemd_names_settings_and_commands_that_exist() -> None:
    unit = (CHART.parents[1] / "systemd/breachwatch.service").read_text("utf-8")
    (command,) = re.findall(r"^ExecStart=\S+/breachwatch (\S+)", unit, re.MULTILINE)
    variables = re.findall(r"^Environment=([A-Z_]+)=", unit, re.MULTILINE)

    assert command in COMMANDS
    assert variables
    assert set(variables) <= KNOWN
