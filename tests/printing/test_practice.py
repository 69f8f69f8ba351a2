import os
import re
import signal
import stat
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import pytest

from labkit import processes
from labkit.errors import ToolMissingError
from labkit.home import home_folder
from labkit.printing.printers import connect
from labkit.printing.servers.install import install_server, server_program
from labkit.printing.servers.octoprint import OctoPrint
from labkit.printing.servers.practice import PracticePrinter, practice_printer

from .gcode import write_gcode

STARTER = """
import os, signal
from labkit.printing.servers.practice import PracticePrinter
PracticePrinter(feed_factor=2).start()
os.kill(os.getpid(), signal.SIGKILL)
"""


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_lock_needs_no_compiler() -> None:
    text = (files("labkit.printing.servers") / "octoprint.lock").read_text()
    entries = re.split(r"\n(?=[a-z])", text.split("\n", 2)[2])
    names = {re.match(r"[a-z0-9-]+", entry.strip())[0] for entry in entries}  # type: ignore[index]
    assert {"octoprint", "netifaces2"} <= names
    assert "netifaces" not in names
    assert len(names) > 60
    assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)
    assert "://" not in text


def test_installed_server_is_the_locked_one_and_stays(server: PracticePrinter) -> None:
    said: list[str] = []
    program = install_server(said.append)
    assert said == []  # it is there: nothing is done, nothing said
    assert program == server_program()
    if not os.environ.get("LABKIT_OCTOPRINT"):
        asked = "import netifaces, importlib.metadata as m; print(m.version('netifaces2'))"
        done = processes.run([program.with_name("python"), "-c", asked], timeout_s=60)
        assert done.output.strip() == "0.0.19"
    version = processes.run([program, "--version"], timeout_s=60)
    assert "1.11.8" in version.output


def test_missing_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "lab"))
    monkeypatch.setenv("LABKIT_TOOLS", str(tmp_path / "tools"))
    monkeypatch.delenv("LABKIT_OCTOPRINT", raising=False)
    with pytest.raises(ToolMissingError, match="not installed"):
        PracticePrinter().start()
    monkeypatch.setenv("LABKIT_OCTOPRINT", str(tmp_path / "nothing"))
    with pytest.raises(ToolMissingError, match="correct LABKIT_OCTOPRINT"):
        PracticePrinter().start()


def test_server_may_be_named(
    server: PracticePrinter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = server_program()
    monkeypatch.setenv("LABKIT_TOOLS", str(tmp_path / "empty"))
    monkeypatch.setenv("LABKIT_OCTOPRINT", str(program))
    assert install_server(lambda _: None) == program


def test_survives_its_starter_and_is_found_again(
    server: PracticePrinter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "lab"))
    practice = PracticePrinter()
    assert practice.attach() is None
    ended = subprocess.run([sys.executable, "-c", STARTER], check=False, timeout=120)
    try:
        assert ended.returncode == -signal.SIGKILL
        first = practice.state()
        found = practice.attach()
        assert found is not None
        assert first["url"] == found.url
        assert found.who().user == "labkit"
        assert practice.start().url == found.url
        with practice_printer() as same, connect("practice") as (also, is_practice):
            assert same.url == also.url == found.url
            assert is_practice
        assert practice.state() == first  # not started there, so not stopped there
        assert found.job().is_ready

        assert mode_of(practice.folder) == 0o700
        assert mode_of(practice.key_file) == mode_of(practice.folder / "server.json") == 0o600
        script = practice.folder / "scripts" / "gcode" / "afterPrinterConnected"
        assert script.read_text() == "M220 S200\nM221 S200"  # the server keeps it there

        found.upload(write_gcode(tmp_path / "kept.gcode"), "kept.gcode")
        pid = first["pid"]
        assert isinstance(pid, int)
        practice.stop()
        assert not processes.is_running(pid)
        assert practice.attach() is None
        assert practice.state() == {}

        with practice_printer() as again:  # files and key stay
            assert again.file("kept.gcode") is not None
            new = practice.state()["pid"]
            assert isinstance(new, int)
            assert processes.is_running(new)
        assert not processes.is_running(new)
        practice.stop()  # a second time is no error
    finally:
        practice.stop()


def test_print_that_goes_on_keeps_the_server(
    server: PracticePrinter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "lab"))
    practice = PracticePrinter()
    try:
        with practice_printer() as printer:
            printer.upload(write_gcode(tmp_path / "long.gcode", dwells=100), "long.gcode")
            printer.start("long.gcode")
            until_busy(printer)
        assert printer.job().is_busy
        printer.cancel()
    finally:
        practice.stop()


def until_busy(printer: OctoPrint) -> None:
    give_up = time.monotonic() + 10
    while not printer.job().is_busy:
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_dead_number_is_never_mistaken_for_the_server(
    server: PracticePrinter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "lab"))
    practice = PracticePrinter()
    (home_folder() / "practice").mkdir()
    innocent = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        practice._write_state({"url": "http://127.0.0.1:9", "pid": innocent.pid})
        practice.stop()
        assert innocent.poll() is None
        assert practice.state() == {}
    finally:
        innocent.kill()
        innocent.wait()
