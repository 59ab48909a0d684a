"""The pages in a real browser, as wide as a phone and as a desk: nothing exceeds the screen."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry

from stream.observe.pages.routes import Routes
from stream.observe.pages.site import Site
from stream.observe.pages.ticket_links import TicketLinks
from stream.observe.server import serve
from tests.pages.paged import NASTY, Desk, listed, ticket, worker

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.browser
WIDTHS = {"phone": 390, "desk": 1280}
_LONG = "desk/" + "0123456789abcdef" * 6
_FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
_PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """The address of a worker's pages."""
    long = ticket(tmp_path, _LONG, team=NASTY, tags=["login", "vpn"], category="a-long-word-" * 12)
    view = worker()
    risk = view.at_risk[0]
    desk = Desk(view._replace(at_risk=(*view.at_risk, risk._replace(ticket=_LONG * 4))), ticket(tmp_path), long)
    acknowledged = listed("desk/41", level="team-lead", notify=("team-lead",), acknowledged_at=view.at)
    escalated = listed("desk/42", -9_000, level="executive", notify=("executive", "service-delivery-manager"))
    escalated = escalated._replace(policy="support-of-our-most-important-customers", team="Identit\xe4ten", assignee="agent-12")
    desk.rows = (acknowledged, escalated, listed(_LONG, 5, team=NASTY, customer="a-long-word-" * 12))
    links = TicketLinks("https://desk.example/t/{number}")
    server = serve("127.0.0.1", 0, Routes(CollectorRegistry(), lambda: (True, ""), Site(desk, links=links)))
    yield f"http://127.0.0.1:{server.port}"
    server.close()


def browse(folder: Path, *arguments: str) -> str:
    """The standard output of Chromium."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    assert browser, "chromium is missing: install the Debian package chromium"
    environment = os.environ | {"HOME": str(folder)}
    command = [browser, *_FLAGS, f"--user-data-dir={folder / 'profile'}", *arguments]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False, env=environment)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


PAGES = {"worker": "/", "list": "/lists/breached", "ticket": "/tickets/desk%2F42", "long": f"/tickets/{quote(_LONG, safe='')}"}


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_no_wider_than_the_screen(tmp_path: Path, site: str, name: str, width: int) -> None:
    # Our pages allow neither scripts nor frames, so a copy of the page is measured, in a frame as wide as the screen.
    with urlopen(f"{site}{PAGES[name]}") as answer:
        page = answer.read().decode().replace("<details>", "<details open>")
    measure = (
        "onload = () => { const { contentWindow: w, contentDocument: d } = document.querySelector('iframe');"
        "document.title = `${w.innerWidth} ${d.documentElement.scrollWidth - d.documentElement.clientWidth}` }"
    )
    frame = f'<iframe style="border:0;width:{width}px;height:900px" srcdoc="{escape(page)}"></iframe>'
    copy = tmp_path / "copy.html"
    copy.write_text(f'<!doctype html><meta charset="utf-8"><title>?</title><script>{measure}</script>{frame}', "utf-8")

    seen = browse(tmp_path, "--dump-dom", copy.as_uri())

    assert re.findall("^<html><head>.*<title>(.*)</title>", seen, re.MULTILINE) == [f"{width} 0"]


@pytest.mark.parametrize("name", ["worker", "list"])
def test_a_long_id_does_not_break_the_short_words_beside_it(tmp_path: Path, site: str, name: str) -> None:
    with urlopen(f"{site}{PAGES[name]}") as answer:
        page = answer.read().decode()
    # A word that is broken over lines has a rectangle on each.
    measure = (
        "onload = () => { const d = document.querySelector('iframe').contentDocument; const seen = [0];"
        "for (const cell of d.querySelectorAll('td')) { const walk = d.createTreeWalker(cell, 4);"
        "while (walk.nextNode()) for (const word of walk.currentNode.data.matchAll(/[^ -]+/g)) {"
        "if (word[0].length > 14) continue; const range = d.createRange(); seen[0] += 1;"
        "range.setStart(walk.currentNode, word.index); range.setEnd(walk.currentNode, word.index + word[0].length);"
        "if (new Set([...range.getClientRects()].map(box => box.top)).size > 1) seen.push(word[0]) } }"
        "document.title = seen.join(' ') }"
    )
    frame = f'<iframe style="border:0;width:1280px;height:900px" srcdoc="{escape(page)}"></iframe>'
    copy = tmp_path / "copy.html"
    copy.write_text(f'<!doctype html><meta charset="utf-8"><title>?</title><script>{measure}</script>{frame}', "utf-8")

    seen = browse(tmp_path, "--dump-dom", copy.as_uri())

    count, *broken = re.findall("^<html><head>.*<title>(.*)</title>", seen, re.MULTILINE)[0].split()
    assert int(count) > 10
    assert broken == []


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_a_picture_can_be_taken_of_a_page(tmp_path: Path, site: str, name: str, width: int) -> None:
    """Set BREACHWATCH_PICTURES to a folder to keep the pictures."""
    path = Path(os.environ.get("BREACHWATCH_PICTURES", tmp_path)) / f"{name}-{width}.png"
    browse(tmp_path, f"--screenshot={path}", f"--window-size={width},2400", "--hide-scrollbars", f"{site}{PAGES[name]}")

    picture = path.read_bytes()
    assert picture.startswith(_PNG)
    assert struct.unpack(">II", picture[16:24]) == (width, 2400)
    assert len(picture) > 20_000, "a blank page is a few kilobytes"


def test_a_browser_shows_the_page_as_intended(tmp_path: Path, site: str) -> None:
    seen = browse(tmp_path, "--dump-dom", f"{site}{PAGES['long']}")

    assert re.search(r"<dt>team</dt><dd>&lt;script&gt;", seen)
    assert "<script" not in seen
