"""The PDF record: its form, its words, and that it is the same for the same case."""

import ast
import json
import re
import shutil
import zlib
from pathlib import Path

import pytest
from PIL import Image

from labkit.case import STAGES, Case
from labkit.errors import CaseError, ParameterError
from labkit.processes import find_program, run
from labkit.traceability.record import write_record

from .conftest import an_order, do_stage

_STRING = rb"\((?:\\.|[^\\)])*\)"
_SHOWN = re.compile(rb"\[(?:" + _STRING + rb"|[-0-9. ])*\]TJ|" + _STRING + rb" ?Tj", re.DOTALL)


@pytest.fixture
def finished(tmp_path: Path) -> Case:
    """A case that is done up to the inspection."""
    case = Case.create(tmp_path / "finished", an_order())
    for stage in STAGES[:-1]:
        do_stage(case, stage)
    return case


def streams_of(pdf: bytes) -> list[bytes]:
    streams = []
    for match in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            streams.append(zlib.decompress(match[1]))
        except zlib.error:
            streams.append(match[1])
    return streams


def words_of(pdf: bytes) -> str:
    """The text of all pages.

    Which font a text is set in is not followed up: every text is read with every
    font's table, and only one of the readings makes sense.
    """
    streams = streams_of(pdf)
    tables = [
        {
            code: bytes.fromhex(text.decode()).decode("utf-16-be")
            for code, text in re.findall(rb"<([0-9A-F]{4})> <([0-9A-F]+)>", stream)
        }
        for stream in streams
        if b"beginbfchar" in stream
    ]
    readings = []
    for stream in streams:
        codes = b"".join(
            _plain(part[1:-1])
            for shown in _SHOWN.findall(stream)
            for part in re.findall(_STRING, shown, re.DOTALL)
        )
        pairs = [b"%02X%02X" % tuple(codes[at : at + 2]) for at in range(0, len(codes), 2)]
        readings += ["".join(table.get(pair, "") for pair in pairs) for table in tables]
    return "\n".join(readings)


def _plain(part: bytes) -> bytes:
    """A PDF string without its escapes, which are also those of Python."""
    text = part.decode("latin-1").replace("\\(", "(").replace("\\)", ")")
    text = text.replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return bytes(ast.literal_eval(f'b"{_ascii(text)}"'))


def _ascii(text: str) -> str:
    return "".join(c if c.isascii() and c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def test_the_pages_say_what_was_done(finished: Case, tmp_path: Path) -> None:
    write_record(finished, tmp_path / "record.pdf", remarks="seen by two")
    words = words_of((tmp_path / "record.pdf").read_bytes())
    for expected in [
        "Batch record",
        "anatomical model, forearm, left",
        "PRACTICE",
        "not for diagnostic use / not for implantation",
        "Record shaped for the batch record of ISO 13485:2016, 7.5.1.",
        "It states no clearance and no conformity.",
        "practice: not validated",
        "0 (practice print)",
        "seen by two",
        "06_inspection",
        "2026-11-01 06:00:00 – 2026-11-01 06:10:00",
        "60 ± 1 mm",
        "abababababab",
        "a #warning with [markup] *inside*",
        "What everyone who uses this part must know",
        "two images are *made up* (01_scan)",
        "Whether the part is good: only inspection tells.",
        "length between blocks",
        "virtual calipers",
        "threshold_hu",
        "03_design/part.stl",
    ]:
        assert expected in words
    for claim in ("compliant", "certified", "cleared"):
        assert claim not in words.lower()


def test_it_is_a_pdf_a_3b_with_the_results_in_it(finished: Case, tmp_path: Path) -> None:
    write_record(finished, tmp_path / "record.pdf")
    pdf = (tmp_path / "record.pdf").read_bytes()
    assert pdf.startswith(b"%PDF-1.7")
    assert pdf.rstrip().endswith(b"%%EOF")
    streams = streams_of(pdf)
    [claim] = [stream.decode() for stream in streams if b"pdfaid:part" in stream]
    assert "<pdfaid:part>3</pdfaid:part>" in claim
    assert "<pdfaid:conformance>B</pdfaid:conformance>" in claim
    [attached] = [json.loads(stream) for stream in streams if b'"labkit/record/1"' in stream]
    assert attached["order"]["case"] == "T-1"
    assert [result["stage"] for result in attached["results"]] == list(STAGES[:-1])
    assert attached["results"][0]["checks"][0]["value"] == 60.25
    if (qpdf := find_program("qpdf")) is not None:
        judged = run([qpdf, "--check", tmp_path / "record.pdf"], timeout_s=30)
        assert judged.exit_code == 0, judged.errors


def test_the_same_case_gives_the_same_bytes(finished: Case, tmp_path: Path) -> None:
    write_record(finished, tmp_path / "first.pdf")
    elsewhere = Case(shutil.copytree(finished.root, tmp_path / "elsewhere" / "copy"))
    write_record(elsewhere, tmp_path / "second.pdf")
    first = (tmp_path / "first.pdf").read_bytes()
    assert (tmp_path / "second.pdf").read_bytes() == first
    do_stage(finished, "06_inspection", " once more")
    write_record(finished, tmp_path / "third.pdf")
    assert (tmp_path / "third.pdf").read_bytes() != first


def test_no_text_can_break_it(tmp_path: Path) -> None:
    nasty = '#panic("x") $ ] } *b* _i_ `r` \\ // /* <label> @ref " 中文 😀 \u202e \x07 é ≤'
    order = an_order().model_copy(update={"anatomy": nasty, "prescription": nasty})
    case = Case.create(tmp_path / "nasty", order)
    do_stage(case, "01_scan")
    write_record(case, tmp_path / "record.pdf", remarks=nasty)
    words = words_of((tmp_path / "record.pdf").read_bytes())
    assert '#panic("x") $ ] } *b* _i_ `r` \\ // /* <label> @ref "' in words
    for code in ("U+4E2D", "U+6587", "U+1F600", "U+202E", "U+0007"):
        assert code in words


def test_pictures_that_can_be_read_are_shown(finished: Case, tmp_path: Path) -> None:
    Image.radial_gradient("L").save(finished.root / "03_design" / "part.png")
    (finished.root / "04_slicing" / "toolpath.png").write_bytes(b"\x89PNG\r\n\x1a\n cut off")
    write_record(finished, tmp_path / "record.pdf")
    words = words_of((tmp_path / "record.pdf").read_bytes())
    assert "Part as designed (03_design)" in words
    assert "Path of the tool" not in words
    assert b"/Subtype/Image" in (tmp_path / "record.pdf").read_bytes().replace(b" ", b"")


def test_every_character_let_through_can_be_shown(tmp_path: Path) -> None:
    ranges = [(0x20, 0x4FF), (0x1E00, 0x1FFF), (0x2010, 0x209F), (0x20A0, 0x2BFF), (0xE000, 0xE010)]
    text = " ".join(chr(code) for low, high in ranges for code in range(low, high + 1))
    case = Case.create(tmp_path / "letters", an_order())
    do_stage(case, "01_scan")
    write_record(case, tmp_path / "record.pdf", remarks=text)
    assert "Ω" in words_of((tmp_path / "record.pdf").read_bytes())


def test_what_cannot_be_recorded(case: Case, tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="no stage of this case was done"):
        write_record(case, tmp_path / "record.pdf")
    do_stage(case, "01_scan")
    with pytest.raises(ParameterError, match="no procedure 'other'"):
        write_record(case, tmp_path / "record.pdf", procedure="other")
    assert not (tmp_path / "record.pdf").exists()
