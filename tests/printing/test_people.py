import getpass
from pathlib import Path

import pytest

from labkit.errors import ApprovalError, InputError
from labkit.home import home_folder
from labkit.printing.people import check_right
from labkit.printing.submission import print_once

from .gcode import write_gcode


@pytest.fixture(autouse=True)
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "lab"))
    monkeypatch.delenv("LABKIT_DATABASE_URL", raising=False)
    monkeypatch.setattr(getpass, "getuser", lambda: "asmith")


def write(text: str) -> None:
    (home_folder() / "people.yaml").write_text(text)


def test_without_the_file_who_has_the_key_may() -> None:
    assert check_right("start") == "asmith"


def test_only_who_is_named_may() -> None:
    write("asmith: [start]\nbjones: [start, cancel]\n")
    assert check_right("start") == "asmith"
    with pytest.raises(ApprovalError, match="asmith may not cancel prints") as refused:
        check_right("cancel")
    assert refused.value.expected == "bjones"
    with pytest.raises(ApprovalError, match="somebody with the right to settle"):
        check_right("settle")
    write("")
    with pytest.raises(ApprovalError):
        check_right("start")


@pytest.mark.parametrize("text", ["asmith: [fly]", "asmith: start", "- asmith", "asmith: ["])
def test_file_that_is_none(text: str) -> None:
    write(text)
    with pytest.raises(InputError, match=r"people\.yaml|person"):
        check_right("start")


def test_who_may_not_start_starts_nothing(tmp_path: Path) -> None:
    write("bjones: [start]\n")
    gcode = write_gcode(tmp_path / "a.gcode")
    words = {"case_code": "C-1", "printer_name": "bench", "printer": None, "practice": False}
    with pytest.raises(ApprovalError, match="asmith may not start prints in this lab"):
        print_once(gcode, **words, approval="approved by B. Jones")  # type: ignore[arg-type]
    with pytest.raises(ApprovalError, match="no approval of this G-code"):
        print_once(gcode, **words)  # type: ignore[arg-type]
