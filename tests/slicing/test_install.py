from pathlib import Path

import pytest

from labkit.errors import ToolError, ToolMissingError
from labkit.slicing.install import install_without_root

DEBIAN = {
    "apt-get": (
        'case "$*" in\n'
        '*" update") {update} ;;\n'
        '*" install "*) {plan} ;;\n'
        "*download*) : > prusa-slicer.deb ;;\nesac\n"
    ),
    "dpkg-deb": (
        'd="$3"; mkdir -p "$d/usr/bin" "$d/usr/lib/x-linux-gnu" "$d/usr/share/doc/prusa-slicer"\n'
        'mkdir -p "$d/usr/share/PrusaSlicer/profiles"\n'
        ': > "$d/usr/share/PrusaSlicer/profiles/Bench.ini"\n'
        ': > "$d/usr/share/doc/prusa-slicer/copyright"; : > "$d/usr/lib/x-linux-gnu/libone.so"\n'
        "printf '#!/bin/sh\\necho {says} $LD_LIBRARY_PATH\\n' > \"$d/usr/bin/prusa-slicer\"\n"
        'chmod +x "$d/usr/bin/prusa-slicer"\n'
    ),
    "ldd": (
        'r=$(dirname "$(dirname "$1")"); echo "libone.so => $r/lib/x-linux-gnu/libone.so (0x1)"\n'
        'echo "libc.so.6 => /lib/libc.so.6 (0x2)"; {ldd}\n'
    ),
}
"""Stand-ins for Debian's tools; installing from the real archive needs the internet."""


def _debian(folder: Path, monkeypatch: pytest.MonkeyPatch, **parts: str) -> Path:
    usual = {
        "update": ":",
        "plan": "echo Inst prusa-slicer; echo Inst libc6; echo Inst fonts-x",
        "says": "PrusaSlicer-2.5.0",
        "ldd": ":",
    }
    folder.mkdir()
    for name, script in DEBIAN.items():
        text = script
        for part, words in (usual | parts).items():
            text = text.replace("{" + part + "}", words)
        (folder / name).write_text("#!/bin/sh\n" + text, encoding="utf-8")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def test_the_program_and_its_libraries_are_gathered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _debian(tmp_path / "bin", monkeypatch)
    tools, said = tmp_path / "tools", list[str]()
    for _ in range(2):  # the second time takes the place of the first
        program = install_without_root(tools, said.append)
    assert program == tools / "prusa-slicer" / "bin" / "prusa-slicer"
    assert [path.name for path in tools.iterdir()] == ["prusa-slicer"]
    files = {p.relative_to(tools / "prusa-slicer").as_posix() for p in tools.rglob("*.*")}
    assert files == {"bin/prusa-slicer.bin", "lib/libone.so", "profiles/Bench.ini"}
    assert (tools / "prusa-slicer" / "copyright").is_file()
    assert "fetching 1 packages, about 140 MB" in said


@pytest.mark.parametrize(
    ("part", "script", "kind", "words"),
    [
        ("update", "echo 'no such host' >&2; exit 100", ToolError, "no such host"),
        ("plan", "exit 100", ToolMissingError, "no package prusa-slicer"),
        ("ldd", 'echo "version \\`GLIBC_2.99\' not found" >&2', ToolMissingError, "GLIBC_2.99"),
        ("ldd", "echo 'libtwo.so => not found'", ToolMissingError, "libtwo.so"),
        ("says", "nothing", ToolMissingError, "does not start"),
    ],
)
def test_what_is_in_the_way_is_said_and_nothing_stays(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    part: str,
    script: str,
    kind: type[ToolError],
    words: str,
) -> None:
    _debian(tmp_path / "bin", monkeypatch, **{part: script})
    with pytest.raises(kind) as caught:
        install_without_root(tmp_path / "tools", lambda words: None)
    assert words in caught.value.found
    assert list((tmp_path / "tools").iterdir()) == []


def test_another_system_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissingError) as caught:
        install_without_root(tmp_path / "tools", lambda words: None)
    assert "apt-get" in caught.value.found
