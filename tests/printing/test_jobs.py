import sqlite3
import threading
from pathlib import Path

import pytest

from labkit.errors import InputError, StorageError
from labkit.home import home_folder
from labkit.printing.jobs import Job, Register, planned_job

from .gcode import write_gcode


@pytest.fixture(autouse=True)
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "lab"))
    monkeypatch.delenv("LABKIT_DATABASE_URL", raising=False)


def plan(path: Path, case_code: str = "C-1", printer_name: str = "p", attempt: int = 1) -> Job:
    return planned_job(
        path, case_code=case_code, printer_name=printer_name, attempt=attempt, practice=True
    )


def test_job_id_is_what_is_asked_for(tmp_path: Path) -> None:
    gcode = write_gcode(tmp_path / "a.gcode")
    ids = {
        plan(gcode).job_id,
        plan(gcode, case_code="C-2").job_id,
        plan(gcode, printer_name="q").job_id,
        plan(gcode, attempt=2).job_id,
        plan(write_gcode(tmp_path / "b.gcode")).job_id,
    }
    assert len(ids) == 5
    assert all(len(job_id) == 10 for job_id in ids)


def test_slicing_on_another_day_is_the_same_job(tmp_path: Path) -> None:
    gcode = write_gcode(tmp_path / "a.gcode")
    before = plan(gcode)
    gcode.write_text(gcode.read_text().replace("on a day", "on another day"))
    after = plan(gcode)
    assert (after.job_id, after.canonical_sha256) == (before.job_id, before.canonical_sha256)
    assert after.sha256 != before.sha256


def test_planning_twice_is_one_job(tmp_path: Path) -> None:
    job = plan(write_gcode(tmp_path / "a.gcode"))
    Register().plan(job)
    Register().advance(job.job_id, "uploaded", "seen", only_from=("planned",))
    again = Register().plan(job)
    assert again.state == "uploaded"
    assert [(entry.state, entry.seen) for entry in again.history] == [
        ("planned", f"file of {job.file_size_bytes} bytes"),
        ("uploaded", "seen"),
    ]


def test_only_one_of_many_gets_to_start(tmp_path: Path) -> None:
    job = plan(write_gcode(tmp_path / "a.gcode"))
    barrier, won = threading.Barrier(8), list[bool]()

    def try_to_start() -> None:
        barrier.wait()
        register = Register()  # eight registers made at once, too
        register.plan(job)
        won.append(register.advance(job.job_id, "starting", "mine", only_from=("planned",)))

    threads = [threading.Thread(target=try_to_start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]
    states = [entry.state for entry in Register().read(job.job_id).history]
    assert states == ["planned", "starting"]


def test_no_way_back_and_known_columns(tmp_path: Path) -> None:
    job = Register().plan(plan(write_gcode(tmp_path / "a.gcode")))
    register = Register()
    assert register.advance(
        job.job_id, "finished", "end", only_from=("planned",), print_time_s=12.5
    )
    assert not register.advance(job.job_id, "starting", "again", only_from=("verified",))
    register.reached(job.job_id, 77)
    register.note(job.job_id, "looked at  it")
    done = Register().read(job.job_id)
    assert (done.state, done.print_time_s, done.filepos_bytes) == ("finished", 12.5, 77)
    assert (done.history[-1].state, done.history[-1].seen) == ("finished", "looked at it")


def test_register_survives_power_loss_by_its_settings() -> None:
    register = Register()
    with register._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "delete"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 3  # EXTRA
    assert (home_folder() / "register.sqlite").is_file()


def test_register_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_DATABASE_URL", f"sqlite:///{tmp_path / 'other.db'}")
    job = Register().plan(plan(write_gcode(tmp_path / "a.gcode")))
    connection = sqlite3.connect(tmp_path / "other.db")
    try:
        assert connection.execute("SELECT job_id FROM jobs").fetchall() == [(job.job_id,)]
    finally:
        connection.close()


@pytest.mark.parametrize("url", ["nonsense", "oracle+none://x", "postgresql+pg8000://me:word@h/x"])
def test_address_that_is_no_database(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("LABKIT_DATABASE_URL", url)
    with pytest.raises(InputError, match="LABKIT_DATABASE_URL") as refused:
        Register()
    assert "word" not in str(refused.value)


def test_register_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_DATABASE_URL", f"sqlite:///{tmp_path / 'no' / 'folder.db'}")
    with pytest.raises(StorageError, match="register cannot be used"):
        Register()


def test_register_that_is_damaged() -> None:
    (home_folder() / "register.sqlite").write_bytes(b"this is no database" * 1000)
    with pytest.raises(StorageError, match="register cannot be used"):
        Register()


def test_unknown_job() -> None:
    with pytest.raises(InputError, match="no job 0123456789"):
        Register().read("0123456789")
