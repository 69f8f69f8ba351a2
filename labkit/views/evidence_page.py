"""An executed notebook as one page of HTML that opens without server, kernel or network.

The page runs no code and asks for nothing: pictures are inside it, scripts and frames are
left out, and its own policy (Content Security Policy, W3C) has a browser refuse the rest.
"""

import re
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat

from labkit.errors import InputError
from labkit.files import sha256_of
from labkit.views.ink import INK, PAPER

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

SHOWN = ("image/png", "image/jpeg", "text/html", "text/markdown", "text/plain")
"""What a page can show of an output, best first; a view to turn has its picture beside it."""

_STYLE = f"""
:root {{ color-scheme: light; }}
body {{ margin: 0 auto; padding: 1.5em; max-width: 70em; color: {INK}; background: {PAPER};
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }}
p, li {{ max-width: 60em; }}
a[href] {{ color: #004a99; }}
nav a, .top {{ display: inline-block; min-height: 24px; }}
img {{ max-width: 100%; height: auto; }}
table {{ border-collapse: collapse; margin: 1em 0; }}
th, td {{ border-bottom: 1px solid #8c8c8c; padding: .3em .8em .3em 0; vertical-align: top;
  text-align: left; }}
td code, td.hash {{ overflow-wrap: anywhere; }}
td.hash {{ min-width: 16em; font-family: ui-monospace, monospace; font-size: .85em; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; }}
code, pre {{ font-family: ui-monospace, monospace; font-size: .9em; }}
details {{ margin: .5em 0; }}
summary {{ cursor: pointer; color: #004a99; min-height: 24px; }}
section {{ border-top: 3px solid {INK}; margin-top: 3em; }}
footer {{ border-top: 1px solid #8c8c8c; margin-top: 2em; font-size: .9em; }}
@media print {{ section {{ break-before: page; }} }}
"""

_TEMPLATE = """
{%- extends 'display_priority.j2' -%}
{%- block markdowncell -%}{{ cell.source | markdown2html | still }}{%- endblock -%}
{%- block rawcell -%}{%- endblock -%}
{%- block in_prompt -%}{%- endblock -%}
{%- block input -%}
{%- if cell.source.strip() -%}
<details><summary>Code of this step</summary><pre><code>{{ cell.source | e }}</code></pre></details>
{%- endif -%}
{%- endblock -%}
{%- block execute_result -%}{{ self.data_priority() }}{%- endblock -%}
{%- block stream_stdout -%}<pre>{{ output.text | strip_ansi | e }}</pre>{%- endblock -%}
{%- block stream_stderr -%}<pre>{{ output.text | strip_ansi | e }}</pre>{%- endblock -%}
{%- block error -%}
<p><strong>This step ended with an error.</strong></p>
<pre>{{ output.traceback | join('\\n') | strip_ansi | e }}</pre>
{%- endblock -%}
{%- block data_html -%}{{ output.data['text/html'] | still }}{%- endblock -%}
{%- block data_markdown -%}
{{ output.data['text/markdown'] | markdown2html | still }}
{%- endblock -%}
{%- block data_text -%}<pre>{{ output.data['text/plain'] | strip_ansi | e }}</pre>{%- endblock -%}
{%- block data_png -%}
<p><img src="data:image/png;base64,{{ output.data['image/png'] | e }}" alt="{{ output | alt | e }}"></p>
{%- endblock -%}
{%- block data_jpg -%}
<p><img src="data:image/jpeg;base64,{{ output.data['image/jpeg'] | e }}" alt="{{ output | alt | e }}"></p>
{%- endblock -%}
"""  # noqa: E501


def page_of(notebook: Path) -> str:
    """One HTML page of an executed notebook: its words, tables and pictures; the code folded.

    Raises
    ------
    InputError
        ``notebook`` is not a notebook.
    """
    title, body = part_of(notebook)
    return document(title, f"<main>{body}</main>")


def part_of(notebook: Path, *, deeper: int = 0) -> tuple[str, str]:
    """The title of an executed notebook, and what stands in the body of its page.

    Parameters
    ----------
    notebook : a file; it is not changed.
    deeper : how many levels its headings go down, to stand below those of a larger page.

    Raises
    ------
    InputError
        ``notebook`` is not a notebook.
    """
    content = _read(notebook)
    body, _ = _exporter(deeper).from_notebook_node(content)
    ended = content.metadata.get("papermill", {}).get("end_time") or ""
    executed = f", executed until {escape(str(ended)[:19])} UTC" if ended else ""
    footer = (
        f"<p>{escape(notebook.name)}{executed}. "
        f"SHA-256 of the file: <code>{sha256_of(notebook)}</code></p>"
    )
    return _title(content) or notebook.stem, f"{body}\n<footer>{footer}</footer>"


def document(title: str, body: str) -> str:
    """A whole HTML page in the look that all pages of evidence share."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _exporter(deeper: int) -> Any:
    from nbconvert.exporters import HTMLExporter  # noqa: PLC0415 (slow, and only here)

    exporter: Any = HTMLExporter(  # type: ignore[no-untyped-call]
        raw_template=_TEMPLATE, exclude_anchor_links=True
    )
    exporter.config.NbConvertBase.display_data_priority = list(SHOWN)
    exporter.register_filter("alt", _alt)
    exporter.register_filter("still", lambda html: _still(html, deeper))
    return exporter


def _read(notebook: Path) -> Any:
    try:
        return nbformat.read(notebook, as_version=4)
    except (OSError, ValueError, AttributeError, nbformat.ValidationError) as error:
        raise InputError(
            f"{notebook.name} cannot be read as a notebook ({type(error).__name__})",
            expected="an executed notebook, as a stage leaves it",
            where=notebook.parent.name,
            fix="restore it from a copy, or run the stage again",
        ) from error


def _title(content: Any) -> str:
    first = next((cell.source for cell in content.cells if cell.cell_type == "markdown"), "")
    heads = [line for line in first.splitlines() if line.startswith("#")]
    return heads[0].strip("# ") if heads else ""


def _alt(output: Any) -> str:
    for kind in ("image/png", "image/jpeg"):
        if words := output.get("metadata", {}).get(kind, {}).get("alt"):
            return str(words)
    words = str(output.data.get("text/plain", ""))
    return "Picture without a description" if not words or words.startswith("<") else words


# --- HTML that stands still ----------------------------------------------------------------

_KEPT = {
    *("a", "abbr", "b", "blockquote", "br", "code", "del", "em", "hr", "i", "ins", "kbd", "mark"),
    *("p", "pre", "s", "small", "span", "strong", "sub", "sup", "u"),
    *("dd", "details", "div", "dl", "dt", "figcaption", "figure", "img", "li", "ol", "summary"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "ul"),
    *("caption", "col", "colgroup", "table", "tbody", "td", "tfoot", "th", "thead", "tr"),
}
_LEFT_OUT = {
    *("applet", "button", "canvas", "frameset", "iframe", "math", "noscript", "object", "script"),
    *("select", "style", "svg", "template", "textarea", "title"),
}
"""These go with all that is in them; of any other tag the words inside stay."""

_EMPTY = {"br", "col", "hr", "img"}
_ATTRIBUTES = {
    *("alt", "aria-label", "colspan", "dir", "height", "href", "lang", "role", "rowspan"),
    *("scope", "src", "start", "style", "title", "width"),
}


class _Still(HTMLParser):
    """What is read comes out in ``kept`` without scripts, frames and what would be fetched."""

    def __init__(self, deeper: int) -> None:
        super().__init__(convert_charrefs=True)
        self.kept: list[str] = []
        self._deeper = deeper
        self._open: list[str] = []
        self._left_out: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _LEFT_OUT:
            self._left_out.append(tag)
        elif tag in _KEPT and not self._left_out:
            tag = self._deep(tag)
            look = "".join(
                f' {name}="{escape(value or "")}"'
                for name, value in attrs
                if name in _ATTRIBUTES and _asks_for_nothing(name, value or "")
            )
            self.kept.append(f"<{tag}{look}>")
            if tag not in _EMPTY:
                self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._left_out:
            if tag == self._left_out[-1]:
                self._left_out.pop()
            return
        tag = self._deep(tag)
        while tag in self._open:  # what was left open inside ends with it
            last = self._open.pop()
            self.kept.append(f"</{last}>")
            if last == tag:
                break

    def handle_data(self, data: str) -> None:
        if not self._left_out:
            self.kept.append(escape(data, quote=False))

    def close(self) -> None:
        super().close()
        self.kept += [f"</{tag}>" for tag in reversed(self._open)]
        self._open.clear()

    def _deep(self, tag: str) -> str:
        level = re.fullmatch(r"h([1-6])", tag)
        return f"h{min(6, int(level[1]) + self._deeper)}" if level else tag


def _asks_for_nothing(name: str, value: str) -> bool:
    if name == "src":
        return value.startswith(("data:image/png;base64,", "data:image/jpeg;base64,"))
    if name == "href":  # a link asks only when somebody follows it; one to a file leads nowhere
        return value.startswith(("https://", "http://", "mailto:"))
    if name == "style":
        return not re.search(r"url|image|@|\\|expression", value, re.IGNORECASE)
    return True


def _still(html: str, deeper: int) -> str:
    parser = _Still(deeper)
    parser.feed(html)
    parser.close()
    return "".join(parser.kept)
