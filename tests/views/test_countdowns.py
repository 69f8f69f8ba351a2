"""The line that says how far a long step is."""

from typing import Any

import pytest

from labkit.views import countdown, countdowns


class _Line:
    def __init__(self) -> None:
        self.said: list[str] = []

    def update(self, words: Any) -> None:
        self.said.append(words.text)


def test_it_tells_the_time_left_from_what_was_done_in_this_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two that were kept take no time and tell nothing; the third took ten seconds."""
    line, clock = _Line(), iter([0.0, 0.0, 0.01, 0.02, 10.02, 30.02])
    monkeypatch.setattr(countdowns, "display", lambda *_, **__: line)
    tell = countdown("designers", clock_s=lambda: next(clock))
    for done in range(5):
        tell(done, 5)
    assert line.said[:3] == [f"designers: {done} of 5" for done in range(3)]
    assert line.said[3] == "designers: 3 of 5, about 20 s left"
    assert line.said[4] == "designers: 4 of 5, about 15 s left"
