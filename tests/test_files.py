import errno
import os
from pathlib import Path

import pytest

from labkit.errors import EvidenceError, StorageError
from labkit.files import (
    content_digest,
    folder_written_whole,
    hashes_below,
    sha256_of,
    write_whole,
    written_whole,
)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.txt"
    write_whole(path, "one")
    write_whole(path, b"two", mode=0o600)
    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["b.txt"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "b.txt"
    write_whole(path, "old")
    with pytest.raises(RuntimeError), written_whole(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["b.txt"]


def test_a_full_disk_is_a_storage_error_and_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "b.txt"
    write_whole(path, "old")
    with pytest.raises(StorageError, match="disk is full"), written_whole(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert path.read_text() == "old"


def test_other_faults_of_the_system_are_not_disguised(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="loop"), written_whole(tmp_path / "x"):
        raise OSError(errno.ELOOP, "loop")


def test_hashes_name_every_file_below(tmp_path: Path) -> None:
    write_whole(tmp_path / "s" / "x", "1")
    write_whole(tmp_path / "s" / "t" / "y", "2")
    found = hashes_below(tmp_path / "s", relative_to=tmp_path)
    assert found == {
        "s/t/y": sha256_of(tmp_path / "s/t/y"),
        "s/x": sha256_of(tmp_path / "s/x"),
    }


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/hostname")
    with pytest.raises(EvidenceError, match="symbolic link"):
        hashes_below(tmp_path, relative_to=tmp_path)


def test_the_digest_of_a_folder_does_not_depend_on_names(tmp_path: Path) -> None:
    for folder, names in {"one": ["a", "b"], "two": ["x/y", "z"]}.items():
        for name, content in zip(names, ["1", "2"], strict=True):
            write_whole(tmp_path / folder / name, content)
    assert content_digest(tmp_path / "one") == content_digest(tmp_path / "two")
    write_whole(tmp_path / "two" / "z", "3")
    assert content_digest(tmp_path / "one") != content_digest(tmp_path / "two")


def test_a_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    to = tmp_path / "new" / "folder"
    with pytest.raises(ZeroDivisionError), folder_written_whole(to) as made:
        (made / "a").write_text("x")
        raise ZeroDivisionError
    assert list(to.parent.iterdir()) == []
    with folder_written_whole(to, mode=0o755) as made:
        (made / "a").write_text("x")
        assert not to.exists()
    assert [path.name for path in to.parent.rglob("*")] == ["folder", "a"]
    assert to.stat().st_mode & 0o777 == 0o755
    with pytest.raises(OSError, match="not empty"), folder_written_whole(to) as made:
        (made / "b").write_text("y")
    assert [path.name for path in to.parent.rglob("*")] == ["folder", "a"]
