"""Designers' spread, against what a blurred edge must give; kept, refused and written."""

import csv
import json
from pathlib import Path
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pytest

from labkit.errors import InputError, ParameterError, SegmentationError
from labkit.parameters import Segmentation
from labkit.segmentation import segment, variability
from labkit.segmentation.spread import SPREAD_COLUMNS, check_spread, spreads_of, write_study
from labkit.segmentation.variability import Designer, designers, surfaces_of
from labkit.volume import Volume
from tests.segmentation.surfaces import BLUR_MM, HALF, ball_scan

Mask = npt.NDArray[np.uint8]

BASE = Segmentation(components=1)
LEVELS = "475, 265, 685"
"""At 50, 30 and 70 % of the ball's height over its surroundings."""


def _moves_mm(percent: float) -> float:
    """How far the surface of a blurred edge moves from the half height to another."""
    return -BLUR_MM * NormalDist().inv_cdf(percent / 100)


def test_every_combination_is_tried_and_the_first_is_the_reference() -> None:
    found = designers("bone, cortical bone", "475, 500", "as it is; closing 1 + opening 0.5", BASE)
    assert len(found) == 8
    assert (found[0].structure, found[0].threshold_hu, found[0].operator) == (
        "bone",
        475,
        "as it is",
    )
    last = found[-1].parameters
    assert (last.structure, last.threshold_hu) == ("cortical bone", 500)
    assert (last.close_mm, last.open_mm) == (1.0, 0.5)


@pytest.mark.parametrize(
    ("structures", "levels", "operators", "words"),
    [
        ("bone", "475, high", "as it is", "the threshold 'high'"),
        ("bone", "475", "polishing 1", "the operator 'polishing 1'"),
        ("bone", "475", "closing", "the operator 'closing'"),
        ("bone", "475", "closing 1 + half height much", "'half height much'"),
        ("", "475", "as it is", "nothing in structures"),
        ("bone", " , ", "as it is", "nothing in thresholds_hu"),
    ],
)
def test_a_list_that_cannot_be_read_is_refused_in_its_own_words(
    structures: str, levels: str, operators: str, words: str
) -> None:
    with pytest.raises(InputError) as caught:
        designers(structures, levels, operators, BASE)
    assert words in caught.value.found


def test_a_value_out_of_range_is_refused_with_the_nearest() -> None:
    with pytest.raises(ParameterError, match="close_mm = 20"):
        designers("bone", "475", "closing 21", BASE)


def test_the_spread_is_that_of_a_blurred_edge(tmp_path: Path) -> None:
    """To 0.05 mm: slices 1.25 mm apart place the ends of a blur of 0.5 mm no better."""
    volume = ball_scan(noise_hu=20)
    outcomes, references = surfaces_of(
        volume, designers("bone", LEVELS, "as it is; smoothing 0.1", BASE), tmp_path
    )
    (spread,) = spreads_of(outcomes, references)
    signed = [float(str(row["signed_mm"])) for row in spread.rows]
    expected = [0.0, _moves_mm(30), _moves_mm(70)] * 2
    assert signed == pytest.approx(expected, abs=0.05)
    assert spread.ranges_mm["threshold"] == pytest.approx(2 * _moves_mm(30), abs=0.08)
    assert spread.ranges_mm["operator"] < 0.02
    assert spread.conclusion.startswith("bone: the threshold matters most")
    assert np.median(spread.sd_mm) == pytest.approx(np.std(expected, ddof=1), abs=0.05)
    assert len(spread.sd_mm) == len(references["bone"].vertices)
    percent = 100 * ((12 + _moves_mm(30)) ** 3 / 12**3 - 1)
    assert float(str(spread.rows[1]["volume_percent"])) == pytest.approx(
        percent, abs=1.2
    )  # 0.05 mm of 12


def test_what_is_kept_is_not_computed_again_and_an_interrupted_study_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume, asked = ball_scan(), designers("bone", LEVELS, "as it is", BASE)
    computed = []

    def counted(volume: Volume, parameters: Segmentation) -> Mask:
        computed.append(parameters)
        return segment(volume, parameters)

    monkeypatch.setattr(variability, "segment", counted)

    def interrupted(done: int, _: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        surfaces_of(volume, asked, tmp_path, interrupted)
    assert len(computed) == 2
    first, _ = surfaces_of(volume, asked, tmp_path)
    assert len(computed) == 3
    again, _ = surfaces_of(volume, asked, tmp_path)
    assert len(computed) == 3
    for one, other in zip(first, again, strict=True):
        assert (one.signed_mm == other.signed_mm).all()


def test_of_another_state_of_the_code_nothing_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume, asked = ball_scan(), designers("bone", "475", "as it is", BASE)
    surfaces_of(volume, asked, tmp_path)
    monkeypatch.setattr(variability, "sha256_of", lambda path: path.name)
    surfaces_of(volume, asked, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("left", [0, 100, -100])
def test_what_was_cut_short_on_the_disk_is_computed_again(tmp_path: Path, left: int) -> None:
    volume, asked = ball_scan(), designers("bone", "475, 500", "as it is", BASE)
    first, _ = surfaces_of(volume, asked, tmp_path)
    for kept in tmp_path.iterdir():
        kept.write_bytes(kept.read_bytes()[:left])
    again, _ = surfaces_of(volume, asked, tmp_path)
    assert (again[1].signed_mm == first[1].signed_mm).all()


def test_each_structure_has_its_own_reference_in_whatever_order(tmp_path: Path) -> None:
    bone, cortex = (
        designers(name, "475, 500", "as it is", BASE) for name in ("bone", "cortical bone")
    )
    volume = ball_scan()
    mixed, _ = surfaces_of(volume, [bone[0], cortex[0], bone[1], cortex[1]], tmp_path / "mixed")
    kept = {path.name for path in (tmp_path / "mixed").iterdir()}
    sorted_, _ = surfaces_of(volume, [*bone, *cortex], tmp_path / "sorted")
    assert kept == {path.name for path in (tmp_path / "sorted").iterdir()}
    assert (mixed[2].signed_mm == sorted_[1].signed_mm).all()


def test_another_scan_is_computed_anew(tmp_path: Path) -> None:
    asked = designers("bone", "475", "as it is", BASE)
    small, large = (
        surfaces_of(ball_scan(radius), asked, tmp_path)[0][0].volume_mm3 for radius in (9.0, 12.0)
    )
    assert large / small == pytest.approx((12 / 9) ** 3, rel=0.03)


def test_a_designer_without_a_surface_is_named_and_a_reference_without_one_stops(
    tmp_path: Path,
) -> None:
    volume = ball_scan()
    outcomes, references = surfaces_of(
        volume, designers("bone", "475, 1400", "as it is", BASE), tmp_path
    )
    (spread,) = spreads_of(outcomes, references)
    assert spread.refused == 1
    assert "of the scan lies above" in str(spread.rows[1]["refused"])
    assert {check.name: check.verdict for check in check_spread([spread])}[
        "bone: designers without a surface"
    ] == "action"
    with pytest.raises(SegmentationError):
        surfaces_of(volume, designers("bone", "1400, 475", "as it is", BASE), tmp_path)


def test_cavities_do_not_count(tmp_path: Path) -> None:
    volume = ball_scan()
    hollow = ball_scan(5.0).voxels
    volume.voxels[...] -= hollow + 50
    keeps = HALF.model_copy(update={"fill_holes_mm3": 0.0})
    outcomes, references = surfaces_of(volume, [Designer("bone", 475, "as it is", keeps)], tmp_path)
    assert references["bone"].body_count == 1
    assert outcomes[0].volume_mm3 == pytest.approx(4 / 3 * np.pi * 12**3, rel=0.01)


def test_the_files_hold_every_designer_the_checks_and_the_conclusion(tmp_path: Path) -> None:
    found = surfaces_of(ball_scan(), designers("bone", LEVELS, "as it is", BASE), tmp_path / "kept")
    spreads = spreads_of(*found)
    write_study(spreads, check_spread(spreads), "C-0001", tmp_path)
    with (tmp_path / "designers.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [list(row) for row in rows] == [SPREAD_COLUMNS] * 3
    assert [row["threshold_hu"] for row in rows] == ["475", "265", "685"]
    content = json.loads((tmp_path / "spread.json").read_text())
    assert content["of"] == "C-0001"
    assert (
        content["structures"][0]["reference"]
        == BASE.model_copy(update={"threshold_hu": 475}).decided()
    )
    assert content["structures"][0]["conclusion"] == spreads[0].conclusion
    assert [check["verdict"] for check in content["checks"]] == ["pass"] * 4
