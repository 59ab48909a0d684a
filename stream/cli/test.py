"""``breachwatch test``: runs stories, the tests of a policy."""

from __future__ import annotations

from difflib import ndiff
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from stream.cli.exit_codes import FAILED, WRONG
from stream.documents.document import PolicyError
from stream.testing import StoryError, play, read_stories, read_story

if TYPE_CHECKING:
    from collections.abc import Iterator

STORIES: Final = Path("stories.yaml")
"""The stories of a project, as ``breachwatch init`` names their file."""


@click.command("test")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option(
    "--policies",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Directory of the policy files that the stories name. Default: the directory policies beside each file of stories.",
)
@click.option("-v", "--verbose", is_flag=True, help="Name the stories that pass too.")
def command(files: tuple[Path, ...], folder: Path | None, *, verbose: bool) -> None:
    """Run the stories in FILES, and show the difference where the effects are not those that a story lists.

    - is standard input. Without FILES it runs stories.yaml in this folder.

    Exit status 0: all stories pass; 1: a story fails; 2: a story or a policy is invalid.
    """
    if not (files := files or tuple(filter(Path.is_file, (STORIES,)))):
        raise click.UsageError(
            f"name the FILES of stories: there is no {STORIES} in this folder; `breachwatch init` writes one with its policy"
        )
    passed, failed, invalid = 0, 0, 0
    for file in files:
        for name, problems, valid in _results(file, folder):
            if valid and not problems:
                passed += 1
                if verbose:
                    click.echo(f"{file}: {name}: passed")
                continue
            failed, invalid = failed + valid, invalid + (not valid)
            click.echo(f"{file}: {name}: {'FAILED' if valid else 'INVALID'}" if name else f"{file}: INVALID")
            for line in problems:
                click.echo(f"  {line}")
    click.echo(f"{passed} passed, {failed} failed, {invalid} invalid")
    raise click.exceptions.Exit(WRONG if invalid else FAILED if failed else 0)


def _results(file: Path, folder: Path | None) -> Iterator[tuple[str, list[str], bool]]:
    """The name of each story, what is wrong with it, and whether it could be played."""
    try:
        stories = read_stories(file)
    except (StoryError, OSError) as error:
        yield "", [str(error)], False
        return
    for data in stories:
        yield str(data.get("story", "")), *_result(data, file.parent / "policies" if folder is None else folder)


def _result(data: dict[str, Any], folder: Path) -> tuple[list[str], bool]:
    try:
        story = read_story(data, folder)
    except PolicyError as error:
        return [str(problem) for problem in error.problems], False
    except (StoryError, OSError) as error:
        return [str(error)], False
    found = story.lines(play(story))
    if found == story.expected:
        return [], True
    difference = [line for line in ndiff(story.expected, found) if not line.startswith("?")]
    return ["- is expected and did not happen, + happened and is not expected:", *difference], True
