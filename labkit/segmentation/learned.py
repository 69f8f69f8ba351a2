"""Masks by a learned model: TotalSegmentator or a MONAI bundle, each a program of its own.

Neither is part of labkit, nor are their weights, whose licences differ from task to task.
Nothing is downloaded from here: the programs run without a way to the network, so that
TotalSegmentator neither fetches weights nor sends its usage statistics.
"""

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from labkit.errors import SegmentationError, ToolError, ToolMissingError
from labkit.home import home_folder
from labkit.processes import Finished, find_program, run
from labkit.segmentation.labels.importing import bring_to_scan
from labkit.segmentation.labels.label_map import LabelMap, choose_segments, revalued
from labkit.segmentation.labels.nifti import stored_nifti, write_nifti
from labkit.volume import Volume

LICENSED_TASKS = frozenset(
    [
        "appendicular_bones",
        "appendicular_bones_mr",
        "brain_structures",
        "coronary_arteries",
        "face",
        "face_mr",
        "heartchambers_highres",
        "thigh_shoulder_muscles",
        "thigh_shoulder_muscles_mr",
        "tissue_4_types",
        "tissue_types",
        "tissue_types_mr",
        "vertebrae_body",
    ]
)
"""Tasks of TotalSegmentator whose weights need a licence number (its README, 2025)."""

TWO_HOURS_S = 7200.0

_HAS_MONAI = "import importlib.util, sys; sys.exit(importlib.util.find_spec('monai') is None)"

_NOWHERE = "http://127.0.0.1:9"
"""The discard port of this machine: a proxy that does not answer."""


def learned_segmentation(
    volume: Volume,
    model: str = "totalsegmentator:total",
    *,
    structures: Sequence[str] = (),
    fast: bool = False,
    device: str = "cpu",
    timeout_s: float = TWO_HOURS_S,
) -> LabelMap:
    """The structures that a learned model finds, in the voxels of the scan.

    Parameters
    ----------
    model : ``totalsegmentator:TASK``, or ``monai:BUNDLE``, a bundle of the MONAI model zoo in
        the folder ``models`` of the lab's own folder.
    structures : names of those to keep, as the model calls them; all without.
    fast : TotalSegmentator's model of 3 mm voxels in place of 1.5 mm.
    device : ``cpu``, ``gpu`` or ``gpu:N``, for TotalSegmentator.

    Restrictions
    ------------
    Neither model is a medical device.  On a GPU two runs may differ in single voxels.
    The masks are as coarse as the model's voxels; the surface still comes from the grey
    values.

    Raises
    ------
    ToolMissingError
        The program or its weights are not there; says how to get them and their licence.
    ToolError
        The program failed, or left no mask.
    SegmentationError
        Grey values of another kind than the model was trained on; nothing was found.
    """
    kind, _, what = model.partition(":")
    if kind not in ("totalsegmentator", "monai") or not what:
        raise SegmentationError(
            f"model {model!r}",
            expected="totalsegmentator:TASK or monai:BUNDLE",
            where="02_segmentation, parameter model",
            fix="for example totalsegmentator:total",
        )
    with tempfile.TemporaryDirectory(prefix="labkit-") as place:
        work = Path(place)
        if kind == "monai":
            bundle = home_folder() / "models" / what
            return _by_monai(volume, bundle, structures, work, timeout_s)
        return _by_totalsegmentator(volume, what, structures, fast, device, work, timeout_s)


def _by_totalsegmentator(
    volume: Volume,
    task: str,
    structures: Sequence[str],
    fast: bool,
    device: str,
    work: Path,
    timeout_s: float,
) -> LabelMap:
    if task.endswith("_mr") == (volume.unit == "HU"):
        raise SegmentationError(
            f"task {task} on a scan whose grey values are {volume.unit}",
            expected="a task ending in _mr for MR, any other for CT",
            where="02_segmentation",
            fix="choose another task",
        )
    program = find_program("TotalSegmentator")
    if program is None:
        raise ToolMissingError(
            "no program TotalSegmentator",
            expected="TotalSegmentator 2 (Apache-2.0) on PATH",
            fix="install it in an environment of its own, for example with "
            "`uv tool install TotalSegmentator`; " + _how_to_get_weights(task, fast),
        )
    weights = _totalsegmentator_weights()
    if not any(weights.glob("Dataset*/*/fold_*/*.pth")):
        raise _no_weights(task, fast)
    write_nifti(volume, work / "scan.nii.gz")
    found = work / "found.nii.gz"
    command: list[str | Path] = [program, "-i", work / "scan.nii.gz", "-o", found, "--ml"]
    command += ["--task", task, "--device", device]
    command += ["--fast"] * fast
    if structures and task in ("total", "total_mr"):
        command += ["--roi_subset", *structures]
    version = run([program, "--version"], environment=_offline(), timeout_s=600)
    done = run(command, folder=work, environment=_offline(), timeout_s=timeout_s)
    if done.exit_code and "ownload" in done.output + done.errors:
        raise _no_weights(task, fast)
    _check_done("TotalSegmentator", done, [found] if found.is_file() else [])
    return _made_by(
        volume,
        found,
        structures,
        name=f"TotalSegmentator {task}" + " fast" * fast,
        version=version.output.strip() if version.exit_code == 0 else "",
    )


def _by_monai(
    volume: Volume, bundle: Path, structures: Sequence[str], work: Path, timeout_s: float
) -> LabelMap:
    """By the conventions of the model zoo: ``datalist``, ``output_dir``, ``channel_def``."""
    python = os.environ.get("LABKIT_MONAI_PYTHON") or sys.executable
    if find_program(python) is None or run([python, "-c", _HAS_MONAI], timeout_s=600).exit_code:
        raise ToolMissingError(
            "no package monai",
            expected="MONAI (Apache-2.0), with nibabel and pytorch-ignite, in an environment whose "
            "Python LABKIT_MONAI_PYTHON names",
            fix="`pip install 'monai[fire,nibabel,ignite]'` there, and download a bundle with "
            "`python -m monai.bundle download NAME`; its weights have a licence of their own",
        )
    config, meta = bundle / "configs" / "inference.json", bundle / "configs" / "metadata.json"
    if not (config.is_file() and meta.is_file() and any((bundle / "models").glob("*.pt"))):
        raise ToolMissingError(
            "a folder without configs/inference.json, configs/metadata.json or models/*.pt",
            expected="a MONAI bundle with its weights",
            where=f"models/{bundle.name} in the lab's folder (LABKIT_HOME)",
            fix=f"download it with `python -m monai.bundle download {bundle.name} --bundle_dir "
            "FOLDER`; read the licence in its docs folder",
        )
    told = _metadata(meta)
    scan, output = work / "scan.nii.gz", work / "output"
    write_nifti(volume, scan)
    command: list[str | Path] = [python, "-m", "monai.bundle", "run"]
    command += ["--config_file", config, "--meta_file", meta, "--bundle_root", bundle]
    command += ["--datalist", f"$[{str(scan)!r}]", "--output_dir", output]
    done = run(command, folder=work, environment=_offline(), timeout_s=timeout_s)
    found = sorted(output.rglob("*.nii.gz"))
    _check_done("monai.bundle", done, found)
    return _made_by(
        volume,
        found[0],
        structures,
        name=f"MONAI {told.get('name', bundle.name)}",
        version=str(told.get("version", "")),
        names=told["network_data_format"]["outputs"]["pred"]["channel_def"],
    )


def _metadata(path: Path) -> dict[str, Any]:
    """A bundle's metadata; it has to say what the values of the mask mean."""
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        dict(told["network_data_format"]["outputs"]["pred"]["channel_def"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ToolError(
            "configs/metadata.json that does not say what the values of the mask mean",
            expected="network_data_format, outputs, pred, channel_def, as in the MONAI model zoo",
            where=f"models/{path.parents[1].name} in the lab's folder (LABKIT_HOME)",
            fix="download the bundle again, or choose one that finds structures",
        ) from error
    return told


def _made_by(
    volume: Volume,
    found: Path,
    structures: Sequence[str],
    *,
    name: str,
    version: str,
    names: dict[str, str] | None = None,
) -> LabelMap:
    label_map = bring_to_scan(stored_nifti(found), volume).label_map
    segments = {
        value: replace(
            segment,
            name=(names or {}).get(str(value), segment.name),
            algorithm="AUTOMATIC",
            algorithm_name=name,
            algorithm_version=version or "not stated",
        )
        for value, segment in label_map.segments.items()
    }
    chosen = choose_segments(segments, structures)
    labels = revalued(label_map.labels, {value: value for value in chosen})
    return LabelMap.on(volume, labels, chosen)


def _check_done(program: str, done: Finished, found: Sequence[Path]) -> None:
    if done.exit_code == 0 and len(found) == 1:
        return
    said = (done.errors.strip() or done.output.strip() or "nothing").splitlines()[-1]
    raise ToolError(
        f"{program} ended with exit code {done.exit_code} and {len(found)} masks; "
        f"it said: {said[:200]}",
        expected="exit code 0 and one mask",
        where=program,
        fix="run it by hand on a small scan to see what it lacks",
    )


def _no_weights(task: str, fast: bool) -> ToolMissingError:
    return ToolMissingError(
        f"TotalSegmentator without the weights of task {task}",
        expected="its weights on this machine; labkit downloads nothing by itself",
        where="TOTALSEG_WEIGHTS_PATH, else .totalsegmentator/nnunet/results in the home folder",
        fix=_how_to_get_weights(task, fast),
    )


def _how_to_get_weights(task: str, fast: bool) -> str:
    name = "total_fast" if fast and task == "total" else task
    licence = (
        "they need a licence number of their makers, free for non-commercial use only "
        "(`totalseg_set_license`)"
        if task in LICENSED_TASKS
        else "their makers leave them open for any use: read the licence of the release"
    )
    return f"download the weights once with `totalseg_download_weights -t {name}`; {licence}"


def _totalsegmentator_weights() -> Path:
    """Where TotalSegmentator looks for weights (its config.py)."""
    if chosen := os.environ.get("TOTALSEG_WEIGHTS_PATH"):
        return Path(chosen)
    home = os.environ.get("TOTALSEG_HOME_DIR")
    return Path(home or Path.home() / ".totalsegmentator") / "nnunet" / "results"


def _offline() -> dict[str, str]:
    """This process's environment, in which HTTP leads nowhere."""
    kept = {key: text for key, text in os.environ.items() if key.lower() != "no_proxy"}
    proxies = ("http_proxy", "https_proxy", "all_proxy")
    kept |= {key: _NOWHERE for name in proxies for key in (name, name.upper())}
    return kept | {"HF_HUB_OFFLINE": "1"}
