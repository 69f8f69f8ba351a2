from pathlib import Path

import pytest

from labkit.errors import InputError
from labkit.home import home_folder
from labkit.printing.printers import connect, registered_printers
from labkit.printing.servers.octoprint import OctoPrint


@pytest.fixture(autouse=True)
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "lab"))


def write_printers(text: str) -> None:
    (home_folder() / "printers.yaml").write_text(text)


def write_key(mode: int) -> Path:
    path = home_folder() / "bench.key"
    path.write_text("the-key\n")
    path.chmod(mode)
    return path


def test_registered_printer() -> None:
    write_printers("bench:\n  url: http://127.0.0.1:9/octoprint\n  key_file: bench.key\n")
    write_key(0o600)
    with connect("bench") as (printer, practice):
        assert isinstance(printer, OctoPrint)
        assert printer.url == "http://127.0.0.1:9/octoprint"
        assert not practice


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(InputError, match="one of practice"), connect("bench"):
        pass
    write_printers("b-1: {url: 'http://b', key_file: k}\na-1: {url: 'http://a', key_file: k}\n")
    with pytest.raises(InputError, match="one of practice, a-1, b-1"), connect("bench"):
        pass
    assert sorted(registered_printers()) == ["a-1", "b-1"]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_key_that_others_can_read(mode: int) -> None:
    write_printers("bench: {url: 'http://127.0.0.1:9', key_file: bench.key}")
    write_key(mode)
    with pytest.raises(InputError, match="can be read by others") as refused, connect("bench"):
        pass
    assert "the-key" not in str(refused.value)


def test_key_that_is_missing() -> None:
    write_printers("bench: {url: 'http://127.0.0.1:9', key_file: bench.key}")
    with pytest.raises(InputError, match=r"bench\.key cannot be read"), connect("bench"):
        pass


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a list", "cannot be read"),
        ("bench: [", "cannot be read"),
        ("bench: {url: 'http://127.0.0.1'}", "key_file"),
        ("bench: {url: 'http://127.0.0.1', key_file: k, key: secret}", "a printer's key"),
        ("bench: text", "a printer's entry"),
    ],
)
def test_file_that_is_none(text: str, words: str) -> None:
    write_printers(text)
    with pytest.raises(InputError, match=words):
        registered_printers()
