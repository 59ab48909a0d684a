"""The schema and the loader agree on every example; the loader reports what the example's first line expects."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from stream.documents.document import Severity, read_document
from stream.language.policies import check, shipped
from stream.sla.policy.metric import BUILT_IN
from stream.testing import play, read_story

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "schemas/examples/policy"
SCHEMA = Draft202012Validator(json.loads((ROOT / "schemas/policy.v1.json").read_text()))
EXPECTATION = re.compile(r"# expect: line (\d+): (.+)")


def examples(kind: str) -> list[Path]:
    return sorted((EXAMPLES / kind).glob("*.yaml"))


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA.schema)


@pytest.mark.parametrize("path", examples("valid"), ids=lambda path: path.stem)
def test_a_valid_example_is_accepted_by_loader_and_schema(path: Path) -> None:
    assert [p for p in check([path]).problems if p.severity is Severity.ERROR] == []
    assert [error.message for error in SCHEMA.iter_errors(read_document(path).data)] == []


@pytest.mark.parametrize("path", examples("invalid"), ids=lambda path: path.stem)
def test_an_invalid_example_is_refused_for_the_reason_and_on_the_line_it_names(path: Path) -> None:
    expected = EXPECTATION.match(path.read_text())
    assert expected is not None, f"{path} must begin with `# expect: line N: text`"
    line, fragment = int(expected[1]), expected[2]
    checked = check([path])
    assert checked.policies is None
    assert len(checked.problems) == 1, "an example shows one mistake"
    assert (checked.problems[0].line, fragment in str(checked.problems[0])) == (line, True), str(checked.problems[0])


@pytest.mark.parametrize("path", examples("invalid"), ids=lambda path: path.stem)
def test_the_schema_refuses_exactly_the_examples_that_state_it(path: Path) -> None:
    refused = not SCHEMA.is_valid(read_document(path).data)
    assert refused == ("# schema: refuses" in path.read_text().splitlines())


@pytest.mark.parametrize("name", sorted(path.stem for path in shipped("batoi").parent.glob("*.yaml")))
def test_a_shipped_policy_is_clean_and_fits_the_schema(name: str) -> None:
    assert check([shipped(name)]).problems == ()
    assert SCHEMA.is_valid(read_document(shipped(name)).data)


def fences(document: str) -> list[tuple[str, str, str]]:
    """Heading, kind (``policy`` or ``story``) and text of every fence that is to be tried."""
    found = []
    for section in re.split(r"^#+ ", (ROOT / document).read_text(), flags=re.MULTILINE)[1:]:
        heading = section.partition("\n")[0]
        found += [
            (heading, kind, text)
            for kind, text in re.findall(r"^```yaml (policy|story)\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
        ]
    return found


def stories_in(document: str) -> list[tuple[str, str]]:
    """Every story of a page with the policy that stands last before it."""
    pairs, policy = [], ""
    for _, kind, text in fences(document):
        if kind == "policy":
            policy = text
        else:
            pairs.append((policy, text))
    return pairs


DOCUMENTS = (
    "docs/reference/policy-language.md",
    "docs/guides/compare-policies.md",
    "docs/guides/policy-examples.md",
    "docs/guides/stories.md",
)
POLICIES = [
    pytest.param(text, id=heading) for document in DOCUMENTS for heading, kind, text in fences(document) if kind == "policy"
]
STORIES = [pytest.param(*pair, id=pair[1].partition("\n")[0]) for document in DOCUMENTS for pair in stories_in(document)]


@pytest.mark.parametrize("fence", POLICIES)
def test_every_policy_in_the_documents_is_accepted_by_loader_and_schema(fence: str, tmp_path: Path) -> None:
    path = tmp_path / "reference.yaml"
    path.write_text(fence)
    announced = "the calendar is not open after 2026-11-04 00:00" if "election day" in fence else "nothing"
    assert [str(problem) for problem in check([path]).problems if not problem.message.startswith(announced)] == []
    assert [error.message for error in SCHEMA.iter_errors(read_document(path).data)] == []


@pytest.mark.parametrize(("policy", "text"), STORIES)
def test_every_story_in_the_documents_comes_out_as_written(policy: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(policy)
    data = {"policies": ["policy.yaml"], **yaml.load(text, Loader=yaml.BaseLoader)}
    story = read_story(data, tmp_path)

    assert list(story.lines(play(story))) == list(story.expected)


@pytest.mark.parametrize("metric", sorted(BUILT_IN))
def test_every_built_in_metric_has_a_worked_example(metric: str) -> None:
    assert any(f"{metric} " in text.partition("\nthen:")[2] for _, text in stories_in("docs/guides/policy-examples.md"))


@pytest.mark.parametrize("metric", sorted(BUILT_IN))
def test_the_reference_describes_every_built_in_metric(metric: str) -> None:
    reference = (Path(__file__).parents[2] / "docs/reference/policy-language.md").read_text("utf-8")

    assert f"\n| `{metric}` " in reference
