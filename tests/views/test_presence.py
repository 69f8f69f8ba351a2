"""Who looks on, by what the front-end says."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from labkit.stage import RUN_VARIABLE
from labkit.views import presence


@pytest.mark.parametrize(
    ("asks", "environment", "expected"),
    [
        (True, {}, True),
        (False, {}, False),
        (False, {"SERVER_SOFTWARE": "voila/0.5.13"}, True),
        (True, {RUN_VARIABLE: "{}"}, False),
        (False, {"SERVER_SOFTWARE": "voila/0.5.13", RUN_VARIABLE: "{}"}, False),
    ],
)
def test_a_person_is_before_jupyterlab_and_voila_and_no_run(
    monkeypatch: pytest.MonkeyPatch, asks: bool, environment: dict[str, str], expected: bool
) -> None:
    asked: dict[str, Any] = {"content": {"allow_stdin": asks}}
    kernel = SimpleNamespace(get_parent=lambda _: asked)
    monkeypatch.setattr(presence, "get_ipython", lambda: SimpleNamespace(kernel=kernel))
    for name in ("SERVER_SOFTWARE", RUN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    async def look() -> bool:
        return presence.somebody_looks_on()

    assert asyncio.run(look()) is expected
