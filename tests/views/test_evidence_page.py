"""The page of an executed notebook: whole in itself, and still."""

import hashlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest

from labkit import views
from labkit.case import Check
from labkit.errors import InputError
from labkit.views.evidence_page import POLICY, page_of, part_of

PNG = b"\x89PNG\r\n\x1a\n"
ALT = 'A part of 3 mm, seen from "above" & the front.'

FETCHED = {"src", "srcset", "poster", "data", "background", "action", "srcdoc"}
"""Attributes whose address is fetched when a page opens; ``href`` of a link is not."""

SCRIPTED = """
<p onclick="steal()">Kept <b>words</b></p>
<script src="https://example.org/a.js">var never = "seen";</script>
<script>var never = "seen";</script>
<style>@import url(https://example.org/a.css);</style>
<iframe srcdoc="&lt;script&gt;never&lt;/script&gt;" src="https://example.org/"></iframe>
<img src="https://example.org/a.png" alt="far away">
<img src="data:image/png;base64,AAAA" alt="near">
<p style="background: url(https://example.org/b.png)">styled</p>
<a href="https://example.org/paper">a source</a> <a href="03_design.ipynb">a file</a>
<a href="javascript:steal()">a trap</a> <svg><script>never</script></svg>
<div><table><tr><td>open ends
"""


class _Tags(HTMLParser):
    """Each tag with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def outputs() -> list[Any]:
    """All kinds of outputs that a notebook of the kit, or of somebody else, may hold."""
    v4 = nbformat.v4

    def shown(data: dict[str, Any], metadata: Any = None) -> Any:
        return v4.new_output("display_data", data=data, metadata=metadata or {})

    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "x"}, "text/plain": "planes"}
    check = Check(name="wall", value=1.0, unit="mm", limit="0.8 mm", verdict="pass")
    trace = ["\x1b[0;31mScanError\x1b[0m: two <slices>"]
    return [
        shown(*views.Picture(PNG, ALT)._repr_mimebundle_()),
        shown(views.checks([check])._repr_mimebundle_()),
        shown({"text/html": SCRIPTED, "text/plain": "x"}),
        shown(widget),
        shown({"application/javascript": "never()", "text/plain": "said in words"}),
        shown({"text/plain": "a < b"}),
        v4.new_output("stream", name="stderr", text="\x1b[31mred\x1b[0m <words>"),
        v4.new_output("error", ename="ScanError", evalue="two", traceback=trace),
    ]


def executed(path: Path) -> Path:
    """A notebook with all of `outputs`, written to ``path``."""
    v4 = nbformat.v4
    cells = [
        v4.new_markdown_cell("# The <mask>\n\n| a | b |\n|---|---|\n| `x<y` | 1 |\n"),
        v4.new_code_cell("secret = 1 < 2", outputs=outputs()),
        v4.new_markdown_cell("## 1 Next"),
        v4.new_raw_cell("<script>never</script>"),
    ]
    metadata = {"papermill": {"end_time": "2026-11-30T18:34:05.123456+00:00"}}
    nbformat.write(v4.new_notebook(cells=cells, metadata=metadata), path)
    return path


@pytest.fixture
def page(tmp_path: Path) -> str:
    return page_of(executed(tmp_path / "notebook.ipynb"))


def test_nothing_in_it_is_fetched_and_nothing_runs(page: str) -> None:
    tags = _Tags(page).found
    for tag, attributes in tags:
        assert tag not in ("script", "iframe", "link", "object", "embed", "svg")
        assert not [name for name in attributes if name.startswith("on")]
        for name in FETCHED & attributes.keys():
            assert (attributes[name] or "").startswith("data:image/")
        assert "url(" not in (attributes.get("style") or "")
    assert "never" not in page
    assert "@import" not in page
    links = [attributes.get("href") for tag, attributes in tags if tag == "a"]
    assert links == ["https://example.org/paper", None, None]
    assert {"http-equiv": "Content-Security-Policy", "content": POLICY} in [a for _, a in tags]


def test_it_has_language_title_words_and_pictures_with_their_words(page: str) -> None:
    tags = _Tags(page).found
    assert ("html", {"lang": "en"}) in tags
    assert "<title>The &lt;mask&gt;</title>" in page
    alts = [attributes.get("alt") for tag, attributes in tags if tag == "img"]
    assert alts == [ALT, "far away", "near"]
    for words in ("Kept <b>words</b>", "✔ pass", "said in words", "a &lt; b", "<h2>1 Next</h2>"):
        assert words in page
    assert "red &lt;words&gt;" in page
    assert "ScanError: two &lt;slices&gt;" in page
    assert "\x1b" not in page


def test_the_code_is_folded_away(page: str) -> None:
    folded = "<details><summary>Code of this step</summary><pre><code>secret = 1 &lt; 2</code>"
    assert folded in page
    assert "<details open" not in page


def test_it_says_when_it_ran_and_which_file_it_shows(page: str, tmp_path: Path) -> None:
    digest = hashlib.sha256((tmp_path / "notebook.ipynb").read_bytes()).hexdigest()
    assert "executed until 2026-11-30T18:34:05 UTC" in page
    assert digest in page
    assert str(tmp_path) not in page


def test_as_a_part_its_headings_go_down(tmp_path: Path) -> None:
    title, body = part_of(executed(tmp_path / "notebook.ipynb"), deeper=1)
    assert title == "The <mask>"
    assert "<h2>The" in body and "<h3>1 Next</h3>" in body and "<h1" not in body


def test_what_was_left_open_is_closed(page: str) -> None:
    for tag in ("div", "table", "tr", "td"):
        assert page.count(f"<{tag}>") + page.count(f"<{tag} ") == page.count(f"</{tag}>"), tag


@pytest.mark.parametrize("content", [None, "not a notebook", "{}", "[1]"])
def test_what_is_no_notebook_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "notebook.ipynb"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=r"notebook\.ipynb cannot be read as a notebook"):
        page_of(path)
