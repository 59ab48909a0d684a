"""HTML that cannot be broken by what a ticket says: every text is escaped unless it was made here.

tag("td", ticket.id, class_="id")
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1c2430;--dim:#5b6675;--line:#d8dde4;--ground:#fff;--soft:#f3f5f8;--link:#0b57b0;
--bad:#b3261e;--warn:#8a5a00;--good:#1a6b37}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ee;--dim:#9aa5b4;--line:#343c48;--ground:#12161c;--soft:#1b2129;
--link:#7fb4ff;--bad:#ff8a80;--warn:#ffc766;--good:#7ddb9a}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:76rem;padding:1rem;font:1rem/1.45 system-ui,sans-serif;color:var(--ink);background:var(--ground)}
h1{font-size:1.5rem;margin:.2rem 0 .4rem;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2rem 0 .5rem}
a{color:var(--link)}
p{margin:.4rem 0;overflow-wrap:anywhere}
.dim{color:var(--dim)}
.bad{color:var(--bad);font-weight:600}
.warn{color:var(--warn);font-weight:600}
.good{color:var(--good);font-weight:600}
form{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;margin:1rem 0}
input,button{font:inherit;padding:.4rem .6rem;color:inherit;
border:1px solid var(--line);border-radius:.4rem;background:var(--soft)}
input{flex:1 1 12rem;min-width:0;max-width:24rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;vertical-align:top;padding:.35rem .9rem .35rem 0;
border-bottom:1px solid var(--line);overflow-wrap:anywhere}
th{font-weight:600;color:var(--dim);font-size:.85rem;white-space:nowrap}
tr.ahead td{color:var(--dim);font-style:italic}
tr.said td{background:var(--soft)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1.2rem;margin:.5rem 0}
dt{color:var(--dim)}
dd{margin:0;overflow-wrap:anywhere}
details{border:1px solid var(--line);border-radius:.6rem;margin:.7rem 0;padding:0 .9rem}
summary{cursor:pointer;padding:.7rem 0;font-weight:600;overflow-wrap:anywhere}
details[open]{padding-bottom:.9rem}
time,.whole{white-space:nowrap}
dl+table{margin-top:1rem}
@media(max-width:46rem){
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
table,tbody,tr,td{display:block}
tr{border:1px solid var(--line);border-radius:.6rem;padding:.4rem .8rem;margin:.6rem 0}
td{border:0;padding:.12rem 0;display:grid;grid-template-columns:6.2rem 1fr;gap:.6rem;font-size:.93rem}
details td{grid-template-columns:4.2rem 1fr}
td:empty{display:none}
td::before{content:attr(data-label);color:var(--dim);font-size:.82rem;font-weight:400;font-style:normal}
tr.said,tr.said td{background:var(--soft)}
time{white-space:normal}
dl{grid-template-columns:minmax(5.5rem,max-content) 1fr}
}
"""
_STYLE_HASH: Final = b64encode(sha256(_STYLE.encode()).digest()).decode()
POLICY: Final = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'"
"""Content-Security-Policy: our own style and nothing else, whatever finds its way into a page."""


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, /, *children: str | None, **attributes: str | bool | None) -> Html:
    """An element. Children are escaped unless they are ``Html``, ``None`` is nothing; ``class_`` is ``class``."""
    stated = []
    for key, value in attributes.items():
        written = key.rstrip("_").replace("_", "-")
        if value is True:
            stated.append(f" {written}")
        elif value is not None and value is not False:
            stated.append(f' {written}="{escape(value)}"')
    inner = "".join(child if isinstance(child, Html) else escape(child) for child in children if child is not None)
    closing = "" if name in ("input", "meta") else f"</{name}>"
    return Html(f"<{name}{''.join(stated)}>{inner}{closing}")


def row(heads: Sequence[str], cells: Sequence[str], class_: str | None = None) -> Html:
    """A row of a table. On a narrow screen it becomes a card, and each cell says which it is."""
    found = [tag("td", cell, data_label=head) if cell else tag("td") for head, cell in zip(heads, cells, strict=True)]
    return tag("tr", *found, class_=class_)


def table(heads: Sequence[str], rows: Iterable[Html]) -> Html:
    """A table of ``row``s."""
    head = tag("thead", tag("tr", *(tag("th", text, scope="col") for text in heads)))
    return tag("table", head, tag("tbody", *rows))


def pairs(entries: Iterable[tuple[str, str]]) -> Html:
    """Names and values."""
    return tag("dl", *(tag(name, text) for entry in entries for name, text in zip(("dt", "dd"), entry, strict=True)))


def document(title: str, *body: Html) -> bytes:
    """A whole page."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width,initial-scale=1"),
        tag("title", f"{title} - breachwatch"),
        tag("style", Html(_STYLE)),
    )
    return f"<!doctype html>\n{tag('html', head, tag('body', *body), lang='en')}\n".encode()
