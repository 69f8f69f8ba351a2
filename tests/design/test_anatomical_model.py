import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import trimesh

from labkit.case import Order
from labkit.design import Anatomy, Part, PrintObject, design_part, write_3mf
from labkit.design.anatomical_model import editing_error
from labkit.design.anatomical_model.base import BASE_THICKNESS_MM, OVERLAP_MM
from labkit.errors import DesignError
from labkit.parameters import AnatomicalModel


@pytest.fixture
def bone() -> trimesh.Trimesh:
    """A cone, 20 mm wide and 60 mm long, at a place like a patient's: LPS mm."""
    cone = trimesh.creation.cone(radius=10, height=60, sections=64)
    cone.apply_translation([-140.0, 25.0, 1300.0])
    return cone


def _designed(surface: trimesh.Trimesh, parameters: AnatomicalModel, order: Order) -> Part:
    return design_part(Anatomy(surface), parameters, order)


def _cone_volume(low: float, high: float) -> float:
    area = 64 / 2 * np.sin(2 * np.pi / 64) * 100  # of the 64-sided base
    return float(area * 20 * ((1 - low / 60) ** 3 - (1 - high / 60) ** 3))


def test_the_cut_keeps_what_is_asked(bone: trimesh.Trimesh, order: Order) -> None:
    for low, length in ((0.0, 0.0), (10.0, 0.0), (10.0, 20.0), (0.0, 30.0)):
        parameters = AnatomicalModel(keep_from_mm=low, keep_length_mm=length, base="none")
        part = _designed(bone, parameters, order)
        assert part.mesh.volume == pytest.approx(_cone_volume(low, low + length if length else 60))
        assert part.mesh.is_watertight
        assert part.bodies == 1


def test_the_part_goes_back_to_where_it_was_in_the_patient(
    bone: trimesh.Trimesh, order: Order
) -> None:
    for scale in (1.0, 0.5):
        part = _designed(bone, AnatomicalModel(base="none", scale=scale), order)
        assert np.allclose(part.mesh.bounds[:, :2].sum(axis=0), 0, atol=1e-6)
        assert part.mesh.bounds[0][2] == pytest.approx(0, abs=1e-9)
        assert part.mesh.extents[2] == pytest.approx(60 * scale)
        part.mesh.apply_transform(part.plate_to_patient)
        assert np.allclose(part.mesh.bounds, bone.bounds, atol=1e-6)


def test_a_mirrored_part_would_be_seen(bone: trimesh.Trimesh, order: Order) -> None:
    bump = trimesh.creation.box((4, 4, 4))
    bump.apply_translation([-128.0, 25.0, 1310.0])  # on the patient's left
    both = trimesh.boolean.union([bone, bump], engine="manifold")
    part = _designed(both, AnatomicalModel(), order)
    assert np.linalg.det(part.plate_to_patient[:3, :3]) > 0
    assert part.edits[0].distances.max_mm < 1e-3
    mirrored = both.copy()
    mirrored.apply_transform(np.diag([-1.0, 1, 1, 1]))
    mirrored.apply_translation([2 * -140.0, 0, 0])
    parameters = AnatomicalModel()
    assert editing_error(mirrored, part.mesh, part.plate_to_patient, parameters).max_mm > 1


def test_the_base_carries_blocks_of_the_size_it_says(bone: trimesh.Trimesh, order: Order) -> None:
    part = _designed(bone, AnatomicalModel(), order)
    assert part.mesh.is_watertight
    assert part.bodies == 1
    assert [feature.name for feature in part.features] == [
        "landing block A, width",
        "landing block A, depth",
        "landing block A, height over all",
        "landing blocks A to B, outside",
        "overall height",
    ]
    for feature in part.features:
        box = trimesh.creation.box(bounds=feature.region_mm)
        inside = trimesh.boolean.intersection([part.mesh, box], engine="manifold")
        axis = "xyz".index(feature.axis)
        assert inside.extents[axis] == pytest.approx(feature.nominal_mm, abs=1e-4), feature.name
    assert part.mesh.extents[2] == pytest.approx(60 + BASE_THICKNESS_MM - OVERLAP_MM)


def test_the_words_on_the_base_depend_on_case_and_side(bone: trimesh.Trimesh, order: Order) -> None:
    volumes = {
        _designed(bone, AnatomicalModel(), order.model_copy(update=change)).mesh.volume
        for change in ({}, {"laterality": "left"}, {"laterality": "none"}, {"case": "C-0002"})
    }
    assert len({round(volume, 3) for volume in volumes}) == 4


def test_scale_and_loose_pieces_are_warned_of(bone: trimesh.Trimesh, order: Order) -> None:
    high = trimesh.creation.icosphere(radius=4)
    high.apply_translation([-140.0, 60.0, 1340.0])
    both = trimesh.boolean.union([bone, high], engine="manifold")
    part = _designed(both, AnatomicalModel(scale=0.5), order)
    assert part.bodies == 2
    assert "2 separate bodies" in part.warnings[0]
    assert "0.5 of life size" in part.caveats[0]


def test_nothing_left_or_an_open_surface_is_refused(bone: trimesh.Trimesh, order: Order) -> None:
    with pytest.raises(DesignError, match="left after the cut"):
        _designed(bone, AnatomicalModel(keep_from_mm=59.9), order)
    with pytest.raises(DesignError, match="within the 60 mm"):
        _designed(bone, AnatomicalModel(keep_from_mm=500.0), order)
    thin = AnatomicalModel(keep_length_mm=2.0)
    with pytest.raises(DesignError, match=r"less than 2\.4 mm of the anatomy"):
        _designed(bone, thin, order)
    bone.update_faces(np.arange(len(bone.faces)) > 3)
    with pytest.raises(DesignError, match="not a closed body"):
        _designed(bone, AnatomicalModel(), order)


def test_3mf_holds_unit_name_and_words_and_is_the_same_every_time(
    bone: trimesh.Trimesh, tmp_path: Path
) -> None:
    part = Part(objects=(PrintObject("C-0001", bone),), plate_to_patient=np.eye(4))
    words = {"Title": 'model <1> & "2"', "Description": "not for implantation"}
    for name in ("a.3mf", "b.3mf"):
        write_3mf(part, tmp_path / name, metadata=words)
    assert (tmp_path / "a.3mf").read_bytes() == (tmp_path / "b.3mf").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.3mf") as packed:
        model = ElementTree.fromstring(packed.read("3D/3dmodel.model"))
    space = "{http://schemas.microsoft.com/3dmanufacturing/core/2015/02}"
    assert model.attrib["unit"] == "millimeter"
    found = {entry.attrib["name"]: entry.text for entry in model.iter(f"{space}metadata")}
    assert found == words
    assert next(model.iter(f"{space}object")).attrib["name"] == "C-0001"
    back = trimesh.load_mesh(tmp_path / "a.3mf")
    assert back.volume == pytest.approx(bone.volume)
