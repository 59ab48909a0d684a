"""What the pages about ``breachwatch notify`` show is true."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest

from stream.notify import destination_reader, match_reader, rules_reader
from stream.notify.notify_metrics import NotifyMetrics
from stream.notify.rules_reader import read_rules
from stream.observe.metrics.notify_catalogue import NOTIFY_CATALOGUE

DOCS = Path(__file__).parents[3] / "docs"
GUIDE = (DOCS / "guides/notify.md").read_text("utf-8")
REFERENCE = (DOCS / "reference/notify-rules.md").read_text("utf-8")


def test_the_example_of_the_reference_is_valid_and_without_warnings(tmp_path: Path) -> None:
    for name in ("notify", "roles"):
        (text,) = re.findall(rf"^```yaml {name}\n(.*?)^```", REFERENCE, re.MULTILINE | re.DOTALL)
        (tmp_path / f"{name}.yaml").write_text(text, "utf-8")

    read = read_rules(tmp_path / "notify.yaml")

    assert read.warnings == ()
    assert len(read.rules.destinations) == 4


def test_the_examples_of_the_guide_are_valid(tmp_path: Path) -> None:
    texts = [dedent(text) for text in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)]
    first, second, roles, webhook = texts
    (tmp_path / "roles.yaml").write_text(roles, "utf-8")

    for text in (first, second, webhook + "routes: [{to: desk}]\n"):
        (tmp_path / "notify.yaml").write_text(text, "utf-8")
        read_rules(tmp_path / "notify.yaml")


@pytest.mark.parametrize("key", [*rules_reader._TOP, *rules_reader._ROUTE, *destination_reader._KEYS, *match_reader._KEYS])
def test_the_reference_has_a_row_for_every_key(key: str) -> None:
    rows = [line for line in REFERENCE.splitlines() if line.startswith("| `")]

    assert any(f"`{key}`" in row.split("|")[1] for row in rows)


def test_the_process_exports_the_metrics_of_its_catalogue_and_no_others() -> None:
    metrics = NotifyMetrics(["a"], ["lead"], lambda: 1)
    metrics.unheld("lead")
    families = [family for family in metrics.registry.collect() if family.name.startswith("sla_")]

    assert {(family.name, family.type, family.documentation) for family in families} == {
        (spec.name.removesuffix("_total"), spec.type, spec.help) for spec in NOTIFY_CATALOGUE
    }
    labels = {name: set(spec.labels) for spec in NOTIFY_CATALOGUE for name in spec.series}
    assert all(set(sample.labels) == labels[sample.name] for family in families for sample in family.samples)
