"""Meshes that PrusaSlicer chokes on, or takes without a word: each ends in one clear paragraph.

The cases are those of the project's measurements with 2.5.0: crashes, exit code 1 with a
word about the file format, and, worse, exit code 0 with a part that is not the one drawn.
"""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import trimesh

from labkit.equipment import MaterialProfile, PrinterProfile
from labkit.errors import LabkitError, SlicingError
from labkit.slicing.slicer import slice_part

Facets = npt.NDArray[np.float64]

BOX = np.array(trimesh.creation.box((20, 20, 20)).triangles)
BALL = np.array(trimesh.creation.icosphere(subdivisions=5, radius=15).triangles)


def _stl(facets: Facets) -> bytes:
    body = b"".join(struct.pack("<12fH", 0, 0, 0, *facet.ravel(), 0) for facet in facets)
    return bytes(80) + struct.pack("<I", len(facets)) + body


def _changed(facets: Facets, change: Callable[[Facets], None]) -> bytes:
    copy = facets.copy()
    change(copy)
    return _stl(copy)


def _put(value: float) -> Callable[[Facets], None]:
    def change(facets: Facets) -> None:
        facets[3, 1, 0] = value

    return change


def _box(*size: float) -> bytes:
    return _stl(np.array(trimesh.creation.box(size).triangles))


def _on_its_tip() -> bytes:
    cone = trimesh.creation.cone(radius=8, height=20, sections=64)
    cone.apply_transform(trimesh.transformations.rotation_matrix(np.pi, (1, 0, 0)))
    return _stl(np.array(cone.triangles))


def _third_turned() -> bytes:
    turned = np.random.default_rng(3).permutation(len(BALL))[: len(BALL) // 3]
    return _changed(BALL, lambda facets: facets.__setitem__(turned, facets[turned, ::-1]))


CHOKES: dict[str, tuple[bytes | None, str]] = {
    "no file at all": (None, "no file"),
    "zero bytes": (b"", "is empty"),
    "a header and nothing else": (bytes(84), "no triangles"),
    "one triangle": (_stl(BOX[:1]), "holes"),
    "two triangles": (_stl(BOX[:2]), "holes"),
    "bytes of chance": (np.random.default_rng(5).bytes(4000), "cannot be read|no triangles"),
    "cut off in the middle": (_stl(BALL)[:50_000], "cannot be read|cut off"),
    "text that breaks off": (b"solid part\n facet normal 0 0 1\n  outer loop\n", "no triangles"),
    "drawn in metres": (_stl(BOX / 1000), "metres"),
    "a corner that is no number": (_changed(BOX, _put(np.nan)), "no numbers"),
    "a corner at infinity": (_changed(BOX, _put(np.inf)), "no numbers"),
    "a corner at 3.4e38": (_changed(BOX, _put(3.4e38)), "a corner at 3.4e+38 mm"),
    "too wide": (_box(260, 20, 20), "too large in x"),
    "too deep": (_box(20, 215, 20), "too large in y"),
    "too high, which 2.5.0 slices all the same": (_box(20, 20, 300), "too large in z"),
    "a cube of 600 mm, which it writes without end": (_box(600, 600, 600), "too large in x, y, z"),
    "a third of the facets turned, which loses cavities": (_third_turned(), "turned over"),
    "2000 facets missing, which it closes by itself": (_stl(BALL[2000:]), "holes"),
    "inside out": (_stl(BOX[:, ::-1]), "inside out"),
    "a sheet without volume": (_stl(np.vstack([BOX[:2], BOX[:2, ::-1]])), "encloses no volume"),
    "a cavity turned over, which it fills": (
        _stl(np.vstack([BALL, np.array(trimesh.creation.icosphere(radius=9).triangles)])),
        "a cavity turned inside out",
    ),
    "thinner than a layer": (_box(20, 20, 0.05), "layer"),
    "on its tip": (_on_its_tip(), "layer"),
}


def _one_clear_paragraph(error: LabkitError) -> str:
    said = str(error)
    assert "\n" not in said and len(said) < 600
    assert error.found and error.expected and error.where and error.fix
    for word in ("Traceback", "Error", "Exception", "0x", "[error]", "what()", "labkit-", "nan"):
        assert word not in said.replace(error.where, "")
    return error.found


@pytest.mark.parametrize("name", CHOKES)
def test_each_ends_in_one_clear_paragraph(
    name: str, tmp_path: Path, printer: PrinterProfile, pla: MaterialProfile
) -> None:
    content, words = CHOKES[name]
    stl, gcode = tmp_path / "part.stl", tmp_path / "out" / "part.gcode"
    if content is not None:
        stl.write_bytes(content)
    with pytest.raises(SlicingError) as caught:
        slice_part(stl, gcode, printer=printer, material=pla)
    found = _one_clear_paragraph(caught.value)
    assert any(word in found for word in words.split("|")), found
    assert not gcode.exists()


@pytest.mark.parametrize("suffix", [".3mf", ".amf", ".obj", ".step", ".gcode", ""])
def test_what_is_no_stl_is_not_handed_on(
    suffix: str, tmp_path: Path, printer: PrinterProfile, pla: MaterialProfile
) -> None:
    """A 3MF or AMF may hold settings that run programs (CVE-2023-47268)."""
    path = tmp_path / f"part{suffix}"
    path.write_bytes(_stl(BOX))
    with pytest.raises(SlicingError) as caught:
        slice_part(path, tmp_path / "part.gcode", printer=printer, material=pla)
    assert "export the part as STL" in caught.value.fix
    _one_clear_paragraph(caught.value)


def test_what_only_looks_odd_is_sliced(
    tmp_path: Path, printer: PrinterProfile, pla: MaterialProfile
) -> None:
    """Bodies that share an edge, that pass through each other; a sheet of two layers."""
    one, beside = BOX, BOX + np.array((20.0, 20.0, 0.0))
    for facets in (
        np.vstack([one, beside]),
        np.vstack([one, BOX + 5]),
        np.array(trimesh.creation.box((20, 20, 0.6)).triangles),
    ):
        (tmp_path / "part.stl").write_bytes(_stl(facets))
        slice_part(tmp_path / "part.stl", tmp_path / "part.gcode", printer=printer, material=pla)
        assert (tmp_path / "part.gcode").stat().st_size > 1000


def test_broken_meshes_of_others_end_in_a_paragraph_or_a_file(
    tmp_path: Path, real_data: Path, printer: PrinterProfile, pla: MaterialProfile
) -> None:
    folder = real_data / "mesh_broken_trimesh"
    outcomes = {}
    for stl in sorted(path for path in folder.iterdir() if path.suffix.lower() == ".stl"):
        try:
            slice_part(stl, tmp_path / "part.gcode", printer=printer, material=pla)
            outcomes[stl.name] = "sliced"
        except LabkitError as error:
            outcomes[stl.name] = _one_clear_paragraph(error)
    assert len(outcomes) >= 10
    assert outcomes["20mm-xyz-cube.stl"] == "sliced"
    assert "no triangles" in outcomes["empty.stl"]
    assert "metres" in outcomes["soup.stl"] and "holes" in outcomes["teapot.stl"]
