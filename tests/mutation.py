"""Plants small errors in copies of the core, one at a time, and names the test that finds each.

    python tests/mutation.py [--most 12] [--seed 1] [stream/sla/engine.py ...]

A mutant has one comparison, operator, number or condition changed. It is drawn by the seed, so that a run can be repeated. The
tests of the file itself run first, then all of the core, then the stories. A mutant that none of them finds is shown as a
difference: it is either equivalent to the original, or a test is missing.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[1]
FILES: Final = (
    "stream/sla/engine.py",
    "stream/sla/correction.py",
    "stream/sla/history_cut.py",
    "stream/sla/rejudgement.py",
    "stream/sla/codec/layout.py",
    "stream/sla/policy/change.py",
    "stream/sla/policy/timeline.py",
    "stream/sla/policy/triggers.py",
    "stream/sla/ticket/commitment_state.py",
    "stream/sla/ticket/escalation_state.py",
    "stream/sla/ticket/fields.py",
    "stream/sla/ticket/history.py",
    "stream/sla/ticket/stopwatch.py",
    "stream/sla/ticket/thresholds.py",
    "stream/sla/transition/commitment.py",
    "stream/sla/transition/deploy.py",
    "stream/sla/transition/emitter.py",
    "stream/sla/transition/escalation.py",
    "stream/sla/transition/evolve.py",
    "stream/sla/transition/reconcile.py",
)
_SECONDS: Final = 300.0
"""After so long the tests of a mutant count as stopped by it: it does not end."""
_OTHER: Final[dict[type[ast.AST], type[ast.AST]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


def mutants(source: str) -> list[str]:
    """The source with one error each, in the order of the places."""
    count = sum(1 for _ in _places(ast.parse(source)))
    found = []
    for number in range(count):
        tree = ast.parse(source)
        for place, node in enumerate(_places(tree)):
            if place == number:
                _change(node)
        found.append(ast.unparse(tree))
    return found


def _places(tree: ast.AST) -> Iterator[ast.AST]:
    """Nodes of functions that can be changed; annotations and defaults of a module or class are left alone."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for statement in function.body:
                for node in ast.walk(statement):
                    match node:
                        case ast.FunctionDef():
                            break  # it is walked by itself
                        case ast.Compare(ops=[op]) if type(op) in _OTHER:
                            yield node
                        case ast.BinOp(op=op, left=left) if type(op) in _OTHER and not isinstance(left, ast.Constant):
                            yield node
                        case ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
                            yield node
                        case ast.Constant(value=bool() | int()):
                            yield node


def _change(node: ast.AST) -> None:
    match node:
        case ast.Compare(ops=[op]):
            node.ops = [_OTHER[type(op)]()]  # type: ignore[list-item]
        case ast.BinOp(op=op) | ast.BoolOp(op=op):
            node.op = _OTHER[type(op)]()  # type: ignore[assignment]
        case ast.UnaryOp():
            node.op = ast.UAdd()
            node.operand = ast.Call(ast.Name("bool"), [node.operand], [])
        case ast.Constant(value=bool() as value):
            node.value = not value
        case ast.Constant(value=int() as value):
            node.value = value + 1


def tests_of(file: str) -> list[list[str]]:
    """Arguments of pytest, the nearest tests first."""
    wing = "tests/unit/sla" / Path(file).relative_to("stream/sla").parent
    return [[str(wing)], ["tests/unit/sla"], ["tests/stories"]]


def finder(copy: Path, file: str) -> str:
    """The first test that fails; ``time-out``; or nothing."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    for chosen in tests_of(file):
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", *chosen]
        try:
            done = subprocess.run(
                command, cwd=copy, env=environment, capture_output=True, text=True, check=False, timeout=_SECONDS
            )
        except subprocess.TimeoutExpired:
            return "time-out"
        if done.returncode:
            failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
            return failed[1].rpartition("/")[2] if failed else "an error on import"
    return ""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("files", nargs="*", default=FILES)
    options.add_argument("--most", type=int, default=12, help="mutants of a file")
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", "dist", "__pycache__", ".*_cache"))
        for file in chosen.files:
            source = (ROOT / file).read_text("utf-8")
            plain = ast.unparse(ast.parse(source))
            possible = mutants(source)
            drawn = Random(chosen.seed).sample(possible, min(chosen.most, len(possible)))
            survived = 0
            for mutant in drawn:
                (copy / file).write_text(mutant, "utf-8")
                found = finder(copy, file)
                changed = [
                    line
                    for line in difflib.unified_diff(plain.splitlines(), mutant.splitlines(), n=0, lineterm="")
                    if line[0] in "-+" and line[:3] not in ("---", "+++")
                ]
                print(f"{file}: {' '.join(' '.join(changed).split())}\n    {found or 'SURVIVED'}", flush=True)
                survived += not found
            (copy / file).write_text(source, "utf-8")
            row = file.removeprefix("stream/sla/"), len(possible), len(drawn), len(drawn) - survived
            print("| `{}` | {} | {} | {} |".format(*row), flush=True)


if __name__ == "__main__":
    main()
