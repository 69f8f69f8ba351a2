"""Label maps, and `.seg.nrrd` out and in."""

from pathlib import Path

import nrrd
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from hypothesis import given, settings

from labkit.errors import SegmentationError
from labkit.segmentation import (
    LabelMap,
    Segment,
    import_mask,
    structures_labelled,
    write_label_map,
    write_mask,
)
from labkit.segmentation.labels.label_map import Code
from labkit.segmentation.labels.seg_nrrd import stored_nrrd
from labkit.volume import Volume
from tests.segmentation.labelled import (
    AXIAL,
    CORONAL,
    FRAME,
    OBLIQUE,
    SAGITTAL,
    SPACING,
    label_maps,
    scan,
    two_blocks,
)

MANDIBLE = (
    "Segmentation category and type - 3D Slicer General Anatomy list"
    "~SCT^123037004^Anatomical Structure~SCT^91609006^Mandible~^^"
    "~Anatomic codes - DICOM master list~^^~^^"
)


def test_a_mask_of_one_or_several_names() -> None:
    label_map = two_blocks(scan())
    assert (label_map.mask("bone") == (label_map.labels == 1)).all()
    assert (label_map.mask(" Skin", "bone") == (label_map.labels > 0)).all()
    assert (label_map.mask() == (label_map.labels > 0)).all()
    with pytest.raises(SegmentationError, match="no segment named spleen") as caught:
        label_map.mask("spleen")
    assert caught.value.expected == "one of bone, skin"


def test_labels_of_another_shape_or_value_are_a_fault_of_the_code() -> None:
    volume = scan()
    with pytest.raises(ValueError, match="on a scan of"):
        LabelMap.on(volume, np.zeros((2, 2, 2), np.uint8), {})
    with pytest.raises(ValueError, match="not within 1 to 255"):
        LabelMap.on(volume, np.zeros(volume.voxels.shape, np.uint8), {256: Segment("x")})


@pytest.mark.parametrize("name", ["Schädel", "股骨", "a&#10;b", "femur, left"])
def test_a_name_of_any_letters_comes_back_and_other_programs_read_it(
    tmp_path: Path, name: str
) -> None:
    volume = scan()
    label_map = LabelMap.on(volume, two_blocks(volume).labels, {1: Segment(name), 2: Segment("b")})
    write_label_map(label_map, tmp_path / "m.seg.nrrd")
    assert import_mask(tmp_path / "m.seg.nrrd", volume).label_map.segments[1].name == name
    assert f"\nSegment0_Name:={name}\n".encode() in (tmp_path / "m.seg.nrrd").read_bytes()
    image = sitk.ReadImage(tmp_path / "m.seg.nrrd")
    assert image.GetMetaData("Segment0_Name") == name
    assert (sitk.GetArrayFromImage(image) == label_map.labels).all()


def test_a_segment_has_codes_whatever_its_terminology_says() -> None:
    assert Segment("jaw", MANDIBLE).kind == Code("91609006", "SCT", "Mandible")
    assert Segment("jaw", MANDIBLE).category.meaning == "Anatomical Structure"
    assert Segment("x", "anything").kind == Code("85756007", "SCT", "Tissue")
    assert Segment("x", "list~SCT^1^a~^^~").category.meaning == "Tissue"


@pytest.mark.parametrize("direction", [AXIAL, CORONAL, SAGITTAL, OBLIQUE])
def test_seg_nrrd_holds_what_3d_slicer_reads(tmp_path: Path, direction: np.ndarray) -> None:
    volume = scan(direction)
    label_map = two_blocks(volume)
    write_label_map(label_map, tmp_path / "mask.seg.nrrd")
    data, header = nrrd.read(str(tmp_path / "mask.seg.nrrd"), index_order="F")
    assert (np.transpose(data) == label_map.labels).all()
    assert header["space"] == "left-posterior-superior"
    assert np.allclose(header["space directions"].T, direction * SPACING)
    assert np.allclose(header["space origin"], volume.origin_lps_mm)
    assert [header[f"Segment{n}_Name"] for n in (0, 1)] == ["bone", "skin"]
    assert [header[f"Segment{n}_LabelValue"] for n in (0, 1)] == ["1", "2"]
    assert header["Segment0_Layer"] == header["Segment1_Layer"] == "0"
    assert header["Segment1_Color"] == "0.694 0.478 0.396"
    assert header["Segment1_Extent"] == "0 8 0 6 0 5"
    assert "SCT^39937001^Skin" in header["Segment1_Tags"]
    back = import_mask(tmp_path / "mask.seg.nrrd", volume)
    assert (back.label_map.labels == label_map.labels).all()
    assert (back.resampled, back.voxels_outside, back.findings) == (False, 0, ())
    assert back.label_map.segments[2].kind.meaning == "Skin"


def test_the_same_mask_gives_the_same_bytes(tmp_path: Path) -> None:
    volume = scan(OBLIQUE)
    mask = two_blocks(volume).mask("bone")
    for name in "ab":
        write_mask(mask, volume, "bone", tmp_path / name)
    write_label_map(structures_labelled(mask, volume, ["bone"]), tmp_path / "c")
    assert len({(tmp_path / name).read_bytes() for name in "abc"}) == 1


@settings(max_examples=40, deadline=None)
@given(label_maps())
def test_seg_nrrd_comes_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, made: tuple[Volume, LabelMap]
) -> None:
    volume, label_map = made
    path = tmp_path_factory.mktemp("nrrd") / "mask.seg.nrrd"
    write_label_map(label_map, path)
    back = import_mask(path, volume)
    assert (back.label_map.labels == label_map.labels).all()
    assert not back.resampled
    assert np.allclose(stored_nrrd(path).ijk_to_lps, volume.ijk_to_lps, rtol=0, atol=1e-9)
    assert back.label_map.frame_of_reference_uid == FRAME
    assert {v: s.name for v, s in back.label_map.segments.items()} == {
        v: s.name for v, s in label_map.segments.items()
    }


def _slicers(path: Path, volume: Volume, layers: np.ndarray, **told: str) -> Path:
    """A `.seg.nrrd` in the way of 3D Slicer: cropped, with a list axis where it has layers.

    ``layers`` : (k, j, i, layer), cropped by 1, 2 and 1 voxels along i, j, k.
    """
    vectors = (volume.direction * volume.spacing_mm).T
    origin = volume.to_lps([[1, 2, 1]])[0]
    header = {
        "space": "left-posterior-superior",
        "space directions": np.vstack([np.full(3, np.nan), vectors]),
        "space origin": origin,
        "kinds": ["list", "domain", "domain", "domain"],
        "Segmentation_ReferenceImageExtentOffset": "1 2 1",
        **told,
    }
    nrrd.write(str(path), np.transpose(layers), header, index_order="F")
    return path


def _segment(n: int, name: str, layer: int, value: int) -> dict[str, str]:
    return {
        f"Segment{n}_ID": f"Segment_{n}",
        f"Segment{n}_Name": name,
        f"Segment{n}_Color": "0.5 0.25 1",
        f"Segment{n}_Layer": str(layer),
        f"Segment{n}_LabelValue": str(value),
        f"Segment{n}_Tags": f"Segmentation.Status:inprogress|TerminologyEntry:{MANDIBLE}|",
    }


def test_a_cropped_file_of_3d_slicer_lands_in_its_place(tmp_path: Path) -> None:
    volume = scan(OBLIQUE)
    layers = np.zeros((4, 5, 6, 2), np.uint8)
    layers[0, 0, 0, 0] = 1
    layers[3, 4, 5, 1] = 1
    told = _segment(0, "jaw", 0, 1) | _segment(1, "tooth", 1, 1)
    found = import_mask(_slicers(tmp_path / "m.seg.nrrd", volume, layers, **told), volume)
    assert not found.resampled
    assert np.argwhere(found.label_map.mask("jaw")).tolist() == [[1, 2, 1]]
    assert np.argwhere(found.label_map.mask("tooth")).tolist() == [[4, 6, 6]]
    assert found.label_map.segments[1].kind.meaning == "Mandible"
    assert found.label_map.segments[1].rgb == (0.5, 0.25, 1.0)
    assert "judged by their place only" in found.findings[0]


def test_a_file_of_an_older_3d_slicer_has_a_layer_for_each_segment(tmp_path: Path) -> None:
    volume = scan()
    layers = np.zeros((4, 5, 6, 2), np.uint8)
    layers[1, 1, 1, 0] = layers[2, 2, 2, 1] = 1
    told = _segment(0, "jaw", 0, 1) | _segment(1, "tooth", 1, 1)
    unsaid = {key: text for key, text in told.items() if not key.endswith(("Layer", "LabelValue"))}
    found = import_mask(_slicers(tmp_path / "m.seg.nrrd", volume, layers, **unsaid), volume)
    assert np.argwhere(found.label_map.mask("tooth")).tolist() == [[3, 4, 3]]
    zero = _slicers(tmp_path / "m.seg.nrrd", volume, layers, **told | _segment(1, "tooth", 1, 0))
    with pytest.raises(SegmentationError, match="which is the background"):
        import_mask(zero, volume)


def test_layers_that_overlap_are_named_and_refused(tmp_path: Path) -> None:
    volume = scan()
    layers = np.zeros((4, 5, 6, 3), np.uint8)
    layers[0, 0, :4, 0] = 1
    layers[0, 0, 2:, 1] = 7
    layers[2, 2, 2, 2] = 1
    told = _segment(0, "jaw", 0, 1) | _segment(1, "tooth", 1, 7) | _segment(2, "screw", 2, 1)
    path = _slicers(tmp_path / "m.seg.nrrd", volume, layers, **told)
    with pytest.raises(SegmentationError, match=r"overlap: jaw and tooth \(2 voxels\)"):
        import_mask(path, volume)
    found = import_mask(path, volume, ("tooth", "screw"))
    assert {v: s.name for v, s in found.label_map.segments.items()} == {7: "tooth", 1: "screw"}
    assert found.voxels == 5
    layers[2, 2, 2, 2] = 0
    path = _slicers(tmp_path / "m.seg.nrrd", volume, layers, **told)
    with pytest.raises(SegmentationError, match="an empty mask"):
        import_mask(path, volume, ("screw",))


def test_an_nrrd_in_ras_is_turned_into_lps(tmp_path: Path) -> None:
    volume = scan(OBLIQUE)
    label_map = two_blocks(volume)
    to_ras = np.diag([-1, -1, 1])
    header = {
        "space": "RAS",
        "space directions": (to_ras @ volume.direction * volume.spacing_mm).T,
        "space origin": to_ras @ volume.origin_lps_mm,
    }
    values = np.transpose(label_map.labels).astype(np.int32) * 300
    nrrd.write(str(tmp_path / "m.nrrd"), values, header, index_order="F")
    found = import_mask(tmp_path / "m.nrrd", volume)
    assert (found.label_map.labels == label_map.labels).all()  # 300 and 600 became 1 and 2
    assert [s.name for s in found.label_map.segments.values()] == ["label 300", "label 600"]
    assert not found.resampled


@pytest.mark.parametrize(
    ("header", "values", "reason"),
    [
        ({}, np.ones((3, 3, 3), np.uint8), "names no space of the patient"),
        ({"space": "scanner-xyz"}, np.ones((3, 3, 3), np.uint8), "names no space"),
        ({"space": "LPS"}, np.ones((3, 3, 3), np.uint8), "no direction of one of its axes"),
        ({"space": "LPS"}, np.ones((3, 3), np.uint8), "sizes"),
        ({"placed": True}, np.full((3, 3, 3), 0.4, np.float32), "fractions"),
        ({"placed": True}, np.full((3, 3, 3), np.nan, np.float32), "negative values"),
        ({"placed": True}, np.full((3, 3, 3), -1, np.int16), "negative values"),
        ({"placed": True}, np.zeros((3, 3, 3), np.uint8), "an empty mask"),
        ({"placed": True}, np.arange(1, 344).reshape(7, 7, 7), "343 segments"),
    ],
)
def test_what_is_no_mask_in_the_patient_is_refused(
    tmp_path: Path, header: dict[str, object], values: np.ndarray, reason: str
) -> None:
    if header.pop("placed", False):
        header = {"space": "LPS", "space directions": np.eye(3), "space origin": np.zeros(3)}
    nrrd.write(str(tmp_path / "m.nrrd"), values, header)
    with pytest.raises(SegmentationError, match=reason):
        import_mask(tmp_path / "m.nrrd", scan())


@pytest.mark.parametrize(
    ("field", "values", "reason"),
    [
        ("space origin", [np.nan, 0, 0], "no place"),
        ("space origin", [0, 0, 1e9], "no place"),
        ("space origin", [0, 0], "cannot be read as a mask"),
        ("space directions", np.diag([0, 1, 1]), "voxels of 0 × 1 × 1 mm"),
        ("space directions", np.eye(3) * 1000, "voxels of 1e"),
        ("space directions", np.eye(3) + np.eye(3, k=1) * 0.2, "not at right angles"),
    ],
)
def test_a_place_that_cannot_be_is_refused(
    tmp_path: Path, field: str, values: object, reason: str
) -> None:
    header = {"space": "LPS", "space directions": np.eye(3), "space origin": np.zeros(3)}
    nrrd.write(str(tmp_path / "m.nrrd"), np.ones((3, 3, 3), np.uint8), header | {field: values})
    with pytest.raises(SegmentationError, match=reason):
        import_mask(tmp_path / "m.nrrd", scan())


def test_a_header_that_points_to_another_file_is_refused(tmp_path: Path) -> None:
    text = (
        "NRRD0004\ntype: uint8\ndimension: 3\nspace: LPS\nsizes: 2 2 2\nencoding: raw\n"
        "space directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)\n"
        "data file: /etc/hostname\n\n"
    )
    (tmp_path / "m.nrrd").write_text(text)
    with pytest.raises(SegmentationError, match="in another file"):
        import_mask(tmp_path / "m.nrrd", scan())


@pytest.mark.parametrize("content", [b"", b"NRRD0004\n", b"NRRD0004\nsizes: a b\n\n", b"PK\3\4"])
def test_a_damaged_file_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "DOE^JOHN.nrrd").write_bytes(content)
    with pytest.raises(SegmentationError, match="cannot be read as a mask") as caught:
        import_mask(tmp_path / "DOE^JOHN.nrrd", scan())
    assert "DOE" not in str(caught.value) + caught.value.where
    with pytest.raises(SegmentationError, match="No such file"):
        import_mask(tmp_path / "missing", scan())
