"""A small synthetic case, made stage by stage as the runner makes one."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labkit.case import STAGES, Case, Caveat, Check, Order, Result
from labkit.files import hashes_below, sha256_of
from labkit.processes import Finished, run
from labkit.traceability.evidence import sign_order, sign_stage
from labkit.traceability.procedure import procedure
from labkit.traceability.release import Release, seal

PRODUCTS: dict[str, dict[str, str]] = {
    "01_scan": {"volume.nrrd": "grey values", "series.json": '{"slices": 12}\n'},
    "02_segmentation": {"mask.seg.nrrd": "mask", "surface.stl": "solid surface"},
    "03_design": {"part.stl": "solid part", "views/front [1] ä.txt": "a name that is not plain"},
    "04_slicing": {"part.gcode": "G28\nG1 X1\n", "gcode.json": '{"layers": 3}\n'},
    "05_printing": {"job.json": '{"job": "7", "printer": "practice", "practice": true}\n'},
    "06_inspection": {"inspection.json": '{"instrument": "virtual calipers"}\n'},
    "07_traceability": {"record.pdf": "%PDF-1.7\n"},
}
USES = {
    "02_segmentation": ["01_scan/volume.nrrd"],
    "03_design": ["02_segmentation/surface.stl"],
    "04_slicing": ["03_design/part.stl"],
    "05_printing": ["04_slicing/part.gcode"],
    "06_inspection": ["03_design/part.stl", "05_printing/job.json"],
    "07_traceability": [],
}
DETAILS: dict[str, dict[str, Any]] = {
    "05_printing": {
        "job": "7f3a9c0d11",
        "printer": "practice",
        "practice": True,
        "state": "finished",
        "summary": "Practice, nothing real was printed. Printed to the end.",
        "not_known": ["Whether the part is good: only inspection tells."],
        "sha256": "cd" * 32,
        "print_time_s": None,
        "history": [
            {"at": "2026-11-01T05:00:01+00:00", "state": "planned", "seen": "nothing yet"},
            {"at": "2026-11-01T05:09:00+00:00", "state": "finished", "seen": "Operational"},
        ],
    },
    "06_inspection": {
        "measurements": [
            {
                "feature": "length between blocks",
                "axis": "x",
                "nominal_mm": 60.0,
                "measured_mm": 60.25,
                "deviation_mm": 0.25,
                "instrument": "virtual calipers",
                "remark": "",
                "verdict": "pass",
            },
            {"feature": "width", "axis": "y", "nominal_mm": 20.0, "verdict": "not done"},
        ]
    },
}


def an_order(code: str = "T-1", anatomy: str = "forearm") -> Order:
    return Order(
        case=code,
        patient_code="P-7",
        anatomy=anatomy,
        laterality="left",
        requested_by="surgeon S1",
        prescription="1:1, cut at 60 mm",
        practice=True,
    )


def do_stage(case: Case, stage: str, content: str = "") -> Path:
    """Run a stage for show: its products, parameters, notebook and result, published."""
    work = case.stage_in_work(stage)
    _, revision = case.next_folder(stage)
    for name, text in PRODUCTS[stage].items():
        (work / name).parent.mkdir(exist_ok=True)
        (work / name).write_text(text + content, encoding="utf-8")
    (work / "parameters.yaml").write_text("case_dir: .\n")
    (work / "notebook.ipynb").write_text('{"cells": []}\n')
    number = STAGES.index(stage) + 1
    result = Result(
        case=case.order.case,
        stage=stage,
        revision=revision,
        started=f"2026-11-0{revision}T0{number}:00:00+00:00",
        finished=f"2026-11-0{revision}T0{number}:10:00+00:00",
        operator="op1",
        mode="replay",
        verdict="pass",
        checks=[
            Check(name="length", value=60.25, unit="mm", limit="60 ± 1 mm", verdict="pass"),
            Check(name="frame", value="LPS", verdict="action"),
        ],
        metrics={"length_mm": 60.25},
        details=DETAILS.get(stage, {}),
        caveats=[Caveat(stage="01_scan", text="two images are *made up*")],
        warnings=["a #warning with [markup] *inside*"],
        tools={"slicer": "2.5.0"},
        parameters={"threshold_hu": 300, "supports": False},
        notebook={"name": f"{stage}.ipynb", "sha256": "ab" * 32},
        inputs=used_by(case, stage),
        outputs=hashes_below(work, relative_to=work),
    )
    (work / "result.json").write_text(result.model_dump_json(by_alias=True))
    return case.publish(work, stage)


def used_by(case: Case, stage: str) -> dict[str, str]:
    """``{path: sha256}`` of what a stage takes from the newest folders of others."""
    inputs: dict[str, str] = {}
    for path in USES.get(stage, []):
        source, name = path.split("/")
        product = case.product(source, name)
        inputs[product.relative_to(case.root).as_posix()] = sha256_of(product)
    return inputs


def sign_current(case: Case, stage: str, inputs: dict[str, str] | None = None) -> None:
    folder = case.current(stage)
    assert folder is not None
    sign_stage(
        case,
        folder,
        inputs=used_by(case, stage) if inputs is None else inputs,
        command=["papermill", f"{stage}.ipynb"],
        environment={"python": "3.11"},
    )


def run_stages(case: Case, stages: tuple[str, ...], content: str = "") -> None:
    """Do and sign stages; the last one of all is left to `release`."""
    for stage in stages:
        inputs = used_by(case, stage)
        do_stage(case, stage, content)
        if stage != STAGES[-1]:
            sign_current(case, stage, inputs)


def release(case: Case) -> Release:
    return seal(case, procedure("practice"), command=["labkit", "run"], environment={})


def stock_verify(root: Path, key: str = "evidence/qa.pub") -> Finished:
    """What the unaltered ``in-toto-verify`` says of a case folder."""
    program = Path(sys.executable).parent / "in-toto-verify"
    words = ["--layout", "evidence/root.layout", "--verification-keys", key]
    return run([program, *words, "--link-dir", "evidence"], folder=root, timeout_s=60)


@pytest.fixture(autouse=True)
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lab of its own for each test."""
    home = tmp_path / "home"
    monkeypatch.setenv("LABKIT_HOME", str(home))
    return home


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A case with a signed order and nothing else."""
    case = Case.create(tmp_path / "case", an_order())
    sign_order(case)
    return case


def released_case(root: Path, order: Order) -> Case:
    """A released case with a repeated design: 03 to 06 have two revisions, 07 two."""
    case = Case.create(root, order)
    sign_order(case)
    run_stages(case, STAGES)
    release(case)
    run_stages(case, STAGES[2:], content=" again")
    release(case)
    return case


@pytest.fixture(scope="session")
def released_template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """Folder of a released case and of the lab it belongs to; not to be altered."""
    base = tmp_path_factory.mktemp("released")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_HOME", str(base / "home"))
        released_case(base / "case", an_order())
    yield base / "case", base / "home"


@pytest.fixture
def released(
    tmp_path: Path, released_template: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> Case:
    """A copy of the released case, and this test's lab holds the keys that signed it."""
    case, home = released_template
    shutil.copytree(home, tmp_path / "lab-that-signed")
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "lab-that-signed"))
    return Case(shutil.copytree(case, tmp_path / "released"))
