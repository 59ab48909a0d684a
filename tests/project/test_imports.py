"""No module imports itself by way of others, and the documentation shows the layers that import-linter enforces."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2] / "stream"


def statements(node: ast.AST) -> Iterator[ast.stmt]:
    """All statements within; expressions, of which there are ten times as many, have none."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.stmt):
            yield inner
        if not isinstance(inner, ast.expr):
            yield from statements(inner)


def imports(root: Path) -> dict[str, set[str]]:
    """Module to the modules of the same package that it imports: at its top, in functions and under ``TYPE_CHECKING``."""
    files = {}
    for file in sorted(root.rglob("*.py")):
        parts = file.relative_to(root.parent).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    graph: dict[str, set[str]] = {module: set() for module in files}
    for module, file in files.items():
        for node in statements(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                graph[module].update(name.name for name in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, f"{file}:{node.lineno}: a relative import, which this test does not follow"
                # ``from package import name``: the name may be a module.
                graph[module].update(
                    whole if (whole := f"{node.module}.{name.name}") in files else str(node.module) for name in node.names
                )
    return {module: (found & files.keys()) - {module} for module, found in graph.items()}


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """A path of imports that ends where it begins; empty: there is none."""
    clear: set[str] = set()

    def search(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in clear:
            return []
        for imported in sorted(graph[module]):
            if found := search(imported, [*path, module]):
                return found
        clear.add(module)
        return []

    return next((found for module in sorted(graph) if (found := search(module, []))), [])


def test_no_import_leads_back_to_where_it_began() -> None:
    graph = imports(ROOT)
    assert len(graph) > 100

    found = circle(graph)

    assert not found, "a circle of imports: " + " -> ".join(found)


@pytest.mark.parametrize(
    "statement",
    [
        "import package.first",
        "from package import first",
        "from package.first import Thing",
        "if TYPE_CHECKING:\n    from package.first import Thing",
        "def later():\n    import package.first",
    ],
)
def test_a_circle_is_found_however_it_is_imported_and_its_path_is_given(tmp_path: Path, statement: str) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("", "utf-8")
    (package / "first.py").write_text("from package import second", "utf-8")
    (package / "second.py").write_text("import package.third", "utf-8")
    (package / "third.py").write_text(statement, "utf-8")

    assert circle(imports(package)) == ["package.first", "package.second", "package.third", "package.first"]


def test_two_paths_to_one_module_are_not_a_circle() -> None:
    assert circle({"top": {"left", "right"}, "left": {"bottom"}, "right": {"bottom"}, "bottom": set()}) == []


def layers() -> list[set[str]]:
    """The folders of each layer that import-linter enforces, the highest first."""
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text("utf-8"))
    (contract,) = [each for each in project["tool"]["importlinter"]["contracts"] if each.get("exhaustive")]
    return [set(layer.split(" | ")) for layer in contract["layers"]]


def folders_of_the_table(page: str) -> list[str]:
    """The folders of ``stream/`` in the first column of a table, in order."""
    rows = re.findall(r"^\| (`stream/.+?) \|", (ROOT.parent / page).read_text("utf-8"), re.MULTILINE)
    return [folder for row in rows for folder in re.findall(r"`stream/(\w+)/`", row)]


def test_the_architecture_lists_the_folders_in_the_order_of_the_layers() -> None:
    listed = folders_of_the_table("docs/internals/architecture.md")
    numbers = {folder: number for number, layer in enumerate(layers()) for folder in layer}

    assert sorted(listed) == sorted(numbers)
    assert [numbers[folder] for folder in listed] == sorted(numbers.values(), reverse=True)


def test_the_readme_lists_every_folder() -> None:
    folders = {"policies"}.union(*layers())

    assert sorted(folders_of_the_table("README.md")) == sorted(folders)
