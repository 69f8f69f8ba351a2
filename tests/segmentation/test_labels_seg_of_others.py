"""SEGs of other tools, made here by highdicom."""

from collections.abc import Callable
from pathlib import Path

import highdicom
import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from labkit.errors import SegmentationError
from labkit.home import pseudonym_uid
from labkit.segmentation import import_mask
from labkit.segmentation.labels.dicom_seg import _sources
from labkit.volume import Volume
from tests.segmentation.labelled import (
    CORONAL,
    FRAME,
    OBLIQUE,
    references_of,
    scan,
    two_blocks,
)


def _foreign(
    volume: Volume,
    pixels: npt.NDArray[np.float64 | np.uint8],
    path: Path,
    kind: str = "BINARY",
    change: Callable[[Dataset], object] = lambda _: None,
) -> Path:
    """``pixels`` : (k, j, i, segment)."""
    label_map = two_blocks(volume)
    seg = highdicom.seg.Segmentation(
        source_images=_sources(label_map, references_of(volume), "P"),
        pixel_array=pixels,
        segmentation_type=kind,
        segment_descriptions=[
            highdicom.seg.SegmentDescription(n, name, codes.SCT.Tissue, codes.SCT.Bone, "MANUAL")
            for n, name in enumerate(["jaw", "tooth"][: pixels.shape[3]], 1)
        ],
        series_instance_uid="2.25.5",
        series_number=1,
        sop_instance_uid="2.25.6",
        instance_number=1,
        manufacturer="x",
        manufacturer_model_name="x",
        software_versions="1",
        device_serial_number="1",
    )
    change(seg)
    seg.save_as(path)
    return path


def _layers(volume: Volume) -> npt.NDArray[np.uint8]:
    labels = two_blocks(volume).labels
    return np.stack([labels == 1, labels == 2], axis=3).astype(np.uint8)


def test_original_uids_are_known_by_their_pseudonym(tmp_path: Path, lab_home: Path) -> None:
    path = _foreign(scan(OBLIQUE), _layers(scan(OBLIQUE)), tmp_path / "m.dcm")
    imported = import_mask(path, scan(OBLIQUE, frame=pseudonym_uid(FRAME)))
    assert (imported.label_map.labels == two_blocks(scan()).labels).all()
    assert imported.findings == ()
    assert imported.label_map.frame_of_reference_uid == pseudonym_uid(FRAME)
    with pytest.raises(SegmentationError, match="another frame of reference"):
        import_mask(path, scan(OBLIQUE, frame=pseudonym_uid(FRAME + ".1")))


def test_fractions_count_from_a_half_on_and_say_so(tmp_path: Path) -> None:
    volume = scan()
    pixels = np.zeros((*volume.voxels.shape, 1))
    pixels[2, 3, :4, 0] = [0.2, 0.49, 0.51, 1.0]
    found = import_mask(_foreign(volume, pixels, tmp_path / "m.dcm", "FRACTIONAL"), volume)
    assert np.argwhere(found.label_map.labels).tolist() == [[2, 3, 2], [2, 3, 3]]
    assert "probability: voxels from 50% on are taken" in found.findings[-1]


def test_a_label_map_seg_is_read(tmp_path: Path) -> None:
    volume = scan(CORONAL)
    path = _foreign(volume, _layers(volume), tmp_path / "m.dcm", "LABELMAP")
    found = import_mask(path, volume)
    assert (found.label_map.labels == two_blocks(volume).labels).all()


def test_overlapping_segments_are_named_and_one_may_be_chosen(tmp_path: Path) -> None:
    volume = scan()
    pixels = _layers(volume)
    pixels[2, 2, 2, 1] = 1
    path = _foreign(volume, pixels, tmp_path / "m.dcm")
    with pytest.raises(SegmentationError, match=r"overlap: jaw and tooth \(1 voxels\)"):
        import_mask(path, volume)
    tooth = import_mask(path, volume, ("Tooth",))
    assert (tooth.label_map.mask("tooth") == pixels[..., 1]).all()
    with pytest.raises(SegmentationError, match="no segment named ear"):
        import_mask(path, volume, ("ear",))


def _shuffle(seg: Dataset) -> None:
    """Frames in any order: only their positions say where they lie."""
    order = np.random.default_rng(1).permutation(int(seg.NumberOfFrames))
    frames = np.unpackbits(np.frombuffer(seg.PixelData, np.uint8), bitorder="little")
    size = seg.Rows * seg.Columns
    frames = frames[: size * len(order)].reshape(-1, size)[order]
    seg.PixelData = np.packbits(frames, bitorder="little").tobytes()
    seg.PixelData += b"\0" * (len(seg.PixelData) % 2)
    groups = list(seg.PerFrameFunctionalGroupsSequence)
    seg.PerFrameFunctionalGroupsSequence = [groups[n] for n in order]


def _measures(seg: Dataset) -> Dataset:
    measures: Dataset = seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    return measures


@pytest.mark.parametrize(
    "change",
    [_shuffle, lambda seg: setattr(_measures(seg), "SpacingBetweenSlices", 99)],
    ids=["shuffled", "a lie in Spacing Between Slices"],
)
def test_the_place_of_a_frame_comes_from_its_position_only(
    tmp_path: Path, change: Callable[[Dataset], object]
) -> None:
    volume = scan(OBLIQUE)
    path = _foreign(volume, _layers(volume), tmp_path / "m.dcm", change=change)
    assert (import_mask(path, volume).label_map.labels == two_blocks(volume).labels).all()


def test_frames_with_gaps_between_them_stay_thin(tmp_path: Path) -> None:
    volume = scan()
    pixels = np.zeros((*volume.voxels.shape, 1), np.uint8)
    pixels[[0, 2, 5], 3, 4] = 1
    found = import_mask(_foreign(volume, pixels, tmp_path / "m.dcm"), volume)
    assert np.argwhere(found.label_map.labels).tolist() == [[0, 3, 4], [2, 3, 4], [5, 3, 4]]
    assert not found.resampled


def test_a_single_frame_is_one_slice_thick(tmp_path: Path) -> None:
    volume = scan()
    pixels = np.zeros((*volume.voxels.shape, 1), np.uint8)
    pixels[3, 3, 4] = 1
    found = import_mask(_foreign(volume, pixels, tmp_path / "m.dcm"), volume)
    assert np.argwhere(found.label_map.labels).tolist() == [[3, 3, 4]]
    assert not found.resampled
    assert "how thick" in found.findings[0]


def _position(frame: int, axis: int, by_mm: float) -> Callable[[Dataset], None]:
    def change(seg: Dataset) -> None:
        position = seg.PerFrameFunctionalGroupsSequence[frame].PlanePositionSequence[0]
        values = list(position.ImagePositionPatient)
        values[axis] = float(values[axis]) + by_mm
        position.ImagePositionPatient = values

    return change


def _no_positions(seg: Dataset) -> None:
    for frame in seg.PerFrameFunctionalGroupsSequence:
        del frame.PlanePositionSequence


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_position(1, 0, 0.4), "not lie straight above each other"),
        (_position(1, 2, 0.4), "not evenly spaced"),
        (_no_positions, "no PlanePosition in a frame"),
        (lambda seg: setattr(seg, "NumberOfFrames", 3), "cannot be read as a mask"),
        (lambda seg: setattr(seg, "PixelData", seg.PixelData[:4]), "cannot be read as a mask"),
        (lambda seg: delattr(seg, "SegmentSequence"), "cannot be read as a mask"),
        (lambda seg: setattr(seg, "SOPClassUID", "1.2.3"), "it is no Segmentation object"),
    ],
)
def test_what_has_no_true_place_or_is_damaged_is_refused(
    tmp_path: Path, change: Callable[[Dataset], object], reason: str
) -> None:
    volume = scan()
    path = _foreign(volume, _layers(volume), tmp_path / "m.dcm", change=change)
    with pytest.raises(SegmentationError, match=reason):
        import_mask(path, volume)
