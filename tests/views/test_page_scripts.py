"""The parts of a live view's script: all of them used, and one text that declares a name once."""

import re
from collections import Counter

import pytest

from labkit.views.live_layers import LiveLayers
from labkit.views.live_planes import LivePlanes
from labkit.views.page_scripts import _PARTS

DECLARED = re.compile(r"^(?:function|const|let) (\w+)", re.MULTILINE)
SCRIPTS = {"planes": str(LivePlanes._esm), "layers": str(LiveLayers._esm)}


@pytest.mark.parametrize("view", SCRIPTS)
def test_the_parts_share_one_scope_without_a_clash(view: str) -> None:
    script = SCRIPTS[view]
    assert max(Counter(DECLARED.findall(script)).values()) == 1
    assert script.count("export default") == 1
    assert not re.search(r"^import\b", script, re.MULTILINE)


def test_every_part_is_in_a_view_and_short() -> None:
    for part in _PARTS.glob("*.js"):
        text = part.read_text(encoding="utf-8")
        assert any(text in script for script in SCRIPTS.values()), part.name
        assert len(text.splitlines()) <= 300, f"{part.name}: make two of it"
