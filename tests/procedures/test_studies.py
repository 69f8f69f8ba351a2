from pathlib import Path

import numpy as np
import pytest

from labkit.case import Case
from labkit.errors import CaseError
from labkit.procedures.studies import open_study
from labkit.volume import Volume, write_nrrd


def test_a_study_reads_the_cases_scan_and_writes_outside_of_the_case(
    case: Case, lab_home: Path
) -> None:
    voxels = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    volume = Volume(voxels, np.array([1.0, 2, 3]), np.array([0.5, 0.5, 1.25]), np.eye(3))
    (case.root / "01_scan").mkdir()
    write_nrrd(volume, case.root / "01_scan" / "volume.nrrd")
    study = open_study("designer_variability", str(case.root))
    assert (study.volume.voxels == voxels).all()
    assert study.of == case.order.case
    assert study.folder == lab_home / "studies" / "designer_variability" / case.order.case
    assert open_study("x", str(case.root), str(lab_home / "mine")).folder == lab_home / "mine"


def test_a_case_without_a_scan_is_refused(case: Case) -> None:
    with pytest.raises(CaseError, match="01_scan"):
        open_study("designer_variability", str(case.root))
