"""What every family must hold: sound parts inside its envelope, named refusals outside."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from labkit import equipment
from labkit.case import Device, Order
from labkit.design import Anatomy, Part, design_part
from labkit.errors import ParameterError
from labkit.parameters import Design, bounds, validated
from labkit.slicing.slicer import slice_part
from labkit.surface import solid

RANDOM_PARTS = int(os.environ.get("LABKIT_RANDOM_PARTS", "20"))


def rod() -> Anatomy:
    """An upright cylinder of 16 by 24 mm, at a place like a patient's: LPS mm."""
    surface = trimesh.creation.cylinder(radius=8, height=24, sections=96)
    surface.apply_translation([-100.0, 20.0, 1000.0])
    return Anatomy(surface)


def order_of(device: Device) -> Order:
    return Order(
        case="C-0001",
        patient_code="P-1",
        anatomy="none",
        laterality="none",
        device=device,
        requested_by="course leader",
        practice=True,
    )


def designed(parameters: Design, anatomy: Anatomy | None = None) -> Part:
    return design_part(anatomy or rod(), parameters, order_of(parameters.device))


def assert_printable(part: Part) -> None:
    """Every object is one closed manifold body; the part stands on the plate, in its middle."""
    for each in part.objects:
        assert each.mesh.is_watertight and each.mesh.is_winding_consistent
        assert each.mesh.volume > 0
        assert solid(each.mesh.vertices, each.mesh.faces, each.name).volume() > 0
    assert part.bodies == len(part.objects)
    low, high = part.mesh.bounds
    assert low[2] == pytest.approx(0, abs=1e-6)
    assert np.allclose(low[:2] + high[:2], 0, atol=1e-6)


def assert_sound(part: Part) -> None:
    """One printable body, not mirrored, as large as its features say."""
    assert_printable(part)
    assert part.bodies == 1
    mesh = part.mesh
    assert solid(mesh.vertices, mesh.faces, "part").volume() == pytest.approx(mesh.volume)
    assert np.linalg.det(part.plate_to_patient[:3, :3]) == pytest.approx(1)
    for feature in part.features:
        extent = mesh.extents["xyz".index(feature.axis)]
        assert extent == pytest.approx(feature.nominal_mm, abs=0.05), feature.name


def assert_refused_outside(model: type[Design], count: int = 50) -> None:
    """Values beyond either end of a range, drawn with a seed, are refused by name."""
    draw = np.random.default_rng(5)
    device = model.model_fields["device"].default
    ranges = {name: bounds(field) for name, field in model.model_fields.items()}
    named = [name for name, (low, high) in ranges.items() if low is not None and high is not None]
    for _ in range(count):
        name = str(draw.choice(named))
        low, high = ranges[name]
        assert low is not None and high is not None
        beyond = (high - low) * draw.uniform(0.01, 3) + 1
        value: Any = low - beyond if draw.random() < 0.5 else high + beyond
        value = round(value) if model.model_fields[name].annotation is int else value
        with pytest.raises(ParameterError, match=name):
            validated("03_design", {"device": device, name: value})


def assert_slices(part: Part, folder: Path) -> None:
    """PrusaSlicer makes G-code of it, with a millimetre of filament per mm³ that fits."""
    stl, gcode = folder / "part.stl", folder / "part.gcode"
    part.mesh.export(stl)
    slice_part(
        stl,
        gcode,
        printer=equipment.printer("practice"),
        material=equipment.material("PLA"),
        layer_height_mm=0.2,
        infill_percent=100,
        supports=False,
    )
    used = [line for line in gcode.read_text().splitlines() if "filament used [mm]" in line]
    length_mm = float(used[0].partition("=")[2])
    assert 0.5 < length_mm * np.pi * 1.75**2 / 4 / part.mesh.volume < 2
