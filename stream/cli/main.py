"""The command ``breachwatch``: a table of its subcommands, each loaded when it is called."""

from __future__ import annotations

from typing import Final

import click

from stream import __version__
from stream.cli import colour
from stream.cli.program import Entry, Program

GROUPS: Final[dict[str, dict[str, Entry]]] = {
    "Detect breaches": {
        "worker": ("stream.cli.worker", "Run a worker: ticket events in, breaches and escalations out."),
        "topics": ("stream.cli.topics", "Create or check the topics."),
        "erase": ("stream.cli.erase", "Erase the data of a ticket, and report when it has left Kafka."),
        "broker": ("stream.cli.broker", "Run an embedded Apache Kafka broker without Docker or Java."),
        "demo": ("stream.demo.command", "Show everything at work on an embedded Kafka broker."),
    },
    "Keep it safe": {
        "backup": ("stream.cli.backup", "Copy the stored data of an installation into a file, while its workers run."),
        "restore": ("stream.cli.restore", "Bring a backup back into empty topics, on the same cluster or another one."),
        "rebuild": ("stream.cli.rebuild", "Let the workers rebuild all tickets from the events."),
    },
    "Write policies": {
        "init": ("stream.cli.init", "Write the files of a first project: settings, a policy, and a story that tests it."),
        "check": ("stream.cli.check", "Check policy files and list every problem with its file and line."),
        "test": ("stream.cli.test", "Run stories, the tests of a policy."),
        "policies": ("stream.cli.policies", "List or show the policies that ship with breachwatch."),
        "calendar": ("stream.cli.calendar", "Query a calendar: due times, elapsed time, opening hours."),
        "diff": ("stream.cli.diff", "Compare policy files: the effects and the problems of a change."),
        "deploy": ("stream.cli.deploy", "Put policies in force while tickets are open; undo or rejudge."),
    },
    "Bring events in": {
        "feed": ("stream.cli.feed", "List, check and try the mappings of helpdesk payloads to ticket events."),
        "gateway": ("stream.cli.gateway", "Receive the webhooks of helpdesks, and publish their ticket events."),
        "pull": ("stream.cli.pull", "Pull ticket events from the API of a helpdesk, once or continuously."),
        "publish": ("stream.cli.publish", "Publish ticket events from a file of JSON lines."),
        "import": ("stream.cli.import_log", "Convert the exported status log of a helpdesk to ticket events."),
    },
    "Let people know": {
        "watch": ("stream.cli.watch", "Show breaches, escalations and other effects as they are published."),
        "notify": ("stream.cli.notify", "Notify people and other programs of breaches, warnings and escalations."),
        "writeback": ("stream.cli.writeback", "Write deadlines, breaches and escalations into the helpdesk."),
        "rejected": ("stream.cli.rejected", "List, show and republish the records that workers have rejected."),
    },
    "Look into a deadline": {
        "explain": ("stream.cli.explain", "Explain the deadlines of a ticket: which time counted, and why."),
        "replay": ("stream.cli.replay", "Run the engine over a file and print the effects as JSON lines, without a broker."),
    },
    "Use the command line": {
        "help": ("stream.cli.help_topics", "Show the help of a command, or the meaning of the exit codes."),
        "completion": ("stream.cli.completion", "Print the script that lets a shell complete commands, options and values."),
    },
}
"""Heading to the commands below it: name to (module with an attribute ``command``, help line)."""

COMMANDS: Final = {name: entry for group in GROUPS.values() for name, entry in group.items()}


_VERSION_HELP: Final = (
    "Show the version, the releases of the time zone and holiday data, and whether the hot path is compiled, and exit."
)


def _show_version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from stream.compiled import is_compiled
        from stream.language.releases import data_releases

        data = ", ".join(f"{package} {release}" for package, release in data_releases().items())
        hot_path = "compiled" if is_compiled() else "interpreted"
        click.echo(f"breachwatch, version {__version__} ({data}; hot path {hot_path})")
        context.exit()


@click.group(
    cls=Program,
    groups=GROUPS,
    params=[colour.OPTION],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help=_VERSION_HELP)
def main() -> None:
    """Streaming SLA breach detector for helpdesks.

    Options of commands can also be set as environment variables (BREACHWATCH_...) or in breachwatch.toml. A flag overrides the
    environment, and the environment overrides the file.
    """
