"""What commands and board share."""

import getpass
from pathlib import Path

import pytest

from labkit.cli import main
from labkit.home import home_folder
from labkit.printing import desk
from labkit.printing.case_prints import case_print
from labkit.printing.queue import Queue

from .sliced_case import sliced_case


def test_a_second_dispatcher_is_refused_wherever_the_first_one_runs(
    lab_home: object, capsys: pytest.CaptureFixture[str]
) -> None:
    with desk.only_dispatcher(), pytest.raises(SystemExit) as ended:
        main(["dispatch"])
    assert ended.value.code == 2
    assert "the queue is being worked through already" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["dispatch"])
    assert ended.value.code == 0


def test_who_may_not_start_leaves_real_requests_waiting(
    lab_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home_folder() / "printers.yaml").write_text(
        "bench-1: {url: 'http://127.0.0.1:9', key_file: k}"
    )
    wanted = case_print(sliced_case(tmp_path / "case", "C-1", profile="MK3S").root)
    desk.enqueue(wanted, approved_by="A. Smith", approved_sha256=wanted.sheet.sha256)
    assert desk.lab_dispatcher(lambda _: None).printers == ("bench-1",)
    (home_folder() / "people.yaml").write_text("asmith: [start]\n")
    monkeypatch.setattr(getpass, "getuser", lambda: "cmiller")
    said: list[str] = []
    dispatcher = desk.lab_dispatcher(said.append)
    assert dispatcher.printers == ()
    assert "cmiller may not start prints in this lab: only practice printers" in said[0]
    dispatcher.run()
    assert [one.status for one in Queue().requests()] == ["waiting"]
