"""What somebody needs who adopts the project: a licence in the package, workflows that name what exists."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def steps(workflow: Path) -> Iterator[dict[str, Any]]:
    for job in yaml.safe_load(workflow.read_text("utf-8"))["jobs"].values():
        assert job["timeout-minutes"] <= 60
        yield from job["steps"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The plain wheel and the sdist to the names of the files in them."""
    folder = tmp_path_factory.mktemp("built")
    command = (
        "from hatchling.build import build_sdist, build_wheel; import sys; build_wheel(sys.argv[1]); build_sdist(sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", command, str(folder)], cwd=ROOT, check=True, capture_output=True)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as content, tarfile.open(sdist) as archive:
        return {"wheel": set(content.namelist()), "sdist": {name.partition("/")[2] for name in archive.getnames()}}


def test_the_wheel_holds_the_licence_the_types_and_the_data_that_the_program_reads(built: dict[str, set[str]]) -> None:
    names = built["wheel"]
    for name in ("LICENSE", "NOTICE"):
        assert any(found.endswith(f".dist-info/licenses/{name}") for found in names), name
    data = {str(path.relative_to(ROOT)) for path in (ROOT / "stream").rglob("*") if path.suffix in {".yaml", ".txt", ".css"}}
    assert len(data) >= 5
    assert data | {"stream/py.typed"} <= names


def test_the_source_distribution_holds_what_a_build_needs(built: dict[str, set[str]]) -> None:
    assert {"LICENSE", "NOTICE", "pyproject.toml", "README.md", "stream/py.typed", "stream/policies/batoi.yaml"} <= built[
        "sdist"
    ]
    assert "schemas/ticket-event.v1.json" in built["sdist"]


def test_the_source_distribution_holds_what_a_packager_tests_it_with(built: dict[str, set[str]]) -> None:
    tests = {str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("*.py")}

    assert tests | {"Makefile", "requirements.lock", "grafana/build.py", "docs/build.py"} <= built["sdist"]
    assert not any("node_modules" in name or name.startswith((".venv", ".git/")) for name in built["sdist"])


PERMISSIVE = re.compile(r"MIT|BSD|Apache|MPL|Mozilla|PSF|Python Software Foundation|Repoze|ISC", re.IGNORECASE)
"""``MPL`` asks for the source of its own files only."""


def licence(name: str) -> str:
    found = importlib.metadata.metadata(name)
    values = [value for key in ("License-Expression", "License", "Classifier") for value in found.get_all(key) or ()]
    return "; ".join(value for value in values if not value.partition(" :: ")[2] or value.startswith("License ::"))


def test_no_dependency_of_a_worker_restricts_what_it_is_used_for() -> None:
    found, left = dict[str, str](), [re.split(r"[\[<>=!~ ;]", entry)[0] for entry in PROJECT["project"]["dependencies"]]
    while left:
        name = left.pop()
        if name in found:
            continue
        found[name] = licence(name)
        for entry in importlib.metadata.requires(name) or ():
            required, _, condition = entry.partition(";")
            if not condition:
                left.append(re.split(r"[\[<>=!~ (]", required.strip())[0])

    assert len(found) > 20
    assert {name: text for name, text in found.items() if not PERMISSIVE.search(text)} == {}


def test_the_lock_pins_every_dependency_with_hashes_and_names_no_registry() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    pinned = set(re.findall(r"^([A-Za-z0-9._-]+)==", lock, re.MULTILINE))
    groups: dict[str, list[Any]] = PROJECT["dependency-groups"]
    wanted = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["broker"]]
    wanted += [entry for group in groups.values() for entry in group if isinstance(entry, str)]
    names = {re.split(r"[\[<>=!~ ]", entry)[0].lower() for entry in wanted}
    assert {name for name in names if name not in {pin.lower() for pin in pinned}} == set()
    assert lock.count("--hash=sha256:") > len(pinned)
    assert "://" not in lock


@pytest.mark.parametrize("entry", PROJECT["project"]["dependencies"])
def test_a_dependency_that_is_pinned_exactly_is_pinned_so_in_the_lock(entry: str) -> None:
    name, exact, version = entry.partition("==")
    if exact:
        assert f"\n{name}=={version} " in (ROOT / "requirements.lock").read_text("utf-8")
    else:
        assert "<" in entry, "an upper bound"


def test_the_image_installs_only_wheels_that_the_lock_names_with_their_hashes() -> None:
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    dependencies, package, install = [line.split("pip ")[1].split() for line in lines if "/pip " in line]

    assert dependencies[0] == "wheel"
    assert {"--require-hashes", "--no-deps"} <= set(dependencies)
    assert dependencies[-2:] == ["--requirement", "requirements.lock"]
    assert package[0] == "wheel"
    assert "--no-deps" in package
    assert package[-1] == "."
    assert install[0] == "install"
    assert "--no-index" in install


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_to_a_commit_and_names_its_tag(workflow: Path) -> None:
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    pinned = re.findall(r"uses: ([\w./-]+@[0-9a-f]{40}) # v\d+\.\d+\.\d+$", workflow.read_text("utf-8"), re.MULTILINE)
    assert used
    assert pinned == used


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_every_script_and_target_that_a_workflow_runs_exists(workflow: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for step in steps(workflow):
        for line in step.get("run", "").splitlines():
            words = line.split()
            if words[0].startswith("."):
                assert (ROOT / words[0]).is_file(), line
            if words[0] == "make":
                assert set(words[1:]) <= targets, line


def test_ci_runs_on_every_python_that_the_package_names() -> None:
    classifiers = [name.rpartition(" ")[2] for name in PROJECT["project"]["classifiers"] if ":: 3." in name]
    matrix = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["python"] == classifiers
    assert PROJECT["project"]["requires-python"] == f">={classifiers[0]}"


def test_the_newest_release_of_the_changelog_is_the_version_of_the_package() -> None:
    from stream import __version__

    releases = re.findall(r"^## \[?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert releases[0] == __version__


def test_every_generated_file_of_the_attributes_exists() -> None:
    lines = (ROOT / ".gitattributes").read_text("utf-8").splitlines()
    generated = [line.split()[0] for line in lines if line.endswith(" linguist-generated")]

    assert len(generated) > 5
    assert [pattern for pattern in generated if not any(ROOT.glob(pattern))] == []


def test_the_folders_of_the_unit_tests_have_the_names_of_those_of_the_code() -> None:
    folders = {path.parent.relative_to(ROOT / "tests/unit") for path in (ROOT / "tests/unit").rglob("test_*.py")}

    assert len(folders) > 20
    assert [str(folder) for folder in sorted(folders) if not (ROOT / "stream" / folder).is_dir()] == []
