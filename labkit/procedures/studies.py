"""Studies: what a lab tries on a scan beside its cases, without touching them."""

from dataclasses import dataclass
from pathlib import Path

from labkit.case import Case
from labkit.home import home_folder
from labkit.procedures.notebooks import shipped
from labkit.scan import choose, discover, read_volume
from labkit.volume import Volume, read_nrrd


@dataclass(frozen=True)
class Study:
    """A scan to try something on, and the folder for what comes of it.

    Parameters
    ----------
    of : the code of the case, or ``sample``.
    volume : its scan.
    folder : where results go; outside of the case, which may be sealed.
    """

    of: str
    volume: Volume
    folder: Path


def open_study(name: str, case_dir: str, study_dir: str = "") -> Study:
    """A study of a case's scan, or of the sample scan where no case is named.

    Parameters
    ----------
    name : of the study; with the case it names the folder.
    study_dir : the folder for the results; else one below the lab's own folder.

    Raises
    ------
    CaseError
        No such case, or its scan was not imported.
    ScanError
        The scan cannot be read.
    """
    if case_dir:
        case = Case(case_dir)
        of, volume = case.order.case, read_nrrd(case.product("01_scan", "volume.nrrd"))
    else:
        of = "sample"
        volume = read_volume(choose(discover(shipped("sample_data") / "ct_forearm").series))
    folder = Path(study_dir).expanduser() if study_dir else home_folder() / "studies" / name / of
    return Study(of, volume, folder)
