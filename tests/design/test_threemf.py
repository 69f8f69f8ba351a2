"""3MF that other programs read: lib3mf, PrusaSlicer, trimesh."""

import os
from pathlib import Path

import lib3mf
import numpy as np
import pytest
import trimesh

from labkit.design import Part, PrintObject, read_3mf, write_3mf
from labkit.processes import run
from labkit.slicing.slicer import find_slicer


@pytest.fixture
def part() -> Part:
    cube = trimesh.creation.box(bounds=((-15, -5, 0), (-5, 5, 10)))
    ball = trimesh.creation.icosphere(radius=5)
    ball.apply_translation([10, 0, 5])
    objects = (PrintObject('guide "A" <1>', cube, "#1a2b3c"), PrintObject("Kopf ä", ball))
    return Part(objects, np.eye(4))


WORDS = {"Title": "two parts", "Description": "not for implantation", "Frame": "plate"}


def test_lib3mf_reads_objects_names_colours_and_words_without_a_warning(
    part: Part, tmp_path: Path
) -> None:
    path = tmp_path / "part.3mf"
    write_3mf(part, path, metadata=WORDS)
    model = lib3mf.get_wrapper().CreateModel()
    reader = model.QueryReader("3mf")
    reader.SetStrictModeActive(True)
    reader.ReadFromFile(str(path))
    assert [reader.GetWarning(n) for n in range(reader.GetWarningCount())] == []
    assert model.GetUnit() == lib3mf.ModelUnit.MilliMeter
    group = model.GetMetaDataGroup()
    read = [group.GetMetaData(n) for n in range(group.GetMetaDataCount())]
    assert {each.GetName(): each.GetValue() for each in read} == {
        "Title": "two parts",
        "Description": "not for implantation",
        "Frame": "plate",
    }
    meshes, colours = model.GetMeshObjects(), []
    while meshes.MoveNext():
        mesh = meshes.GetCurrentMeshObject()
        assert mesh.IsManifoldAndOriented()
        resource, number, has_one = mesh.GetObjectLevelProperty()
        assert has_one
        colour = model.GetBaseMaterialGroupByID(resource).GetDisplayColor(number)
        colours.append((mesh.GetName(), colour.Red, colour.Green, colour.Blue))
    assert colours == [('guide "A" <1>', 0x1A, 0x2B, 0x3C), ("Kopf ä", 0xD9, 0xD2, 0xC5)]


def test_it_comes_back_as_it_went(part: Part, tmp_path: Path) -> None:
    write_3mf(part, tmp_path / "part.3mf", metadata=WORDS)
    objects, unit = read_3mf(tmp_path / "part.3mf")
    assert unit == "millimeter"
    assert [each.name for each in objects] == [each.name for each in part.objects]
    for back, went in zip(objects, part.objects, strict=True):
        assert back.mesh.volume == pytest.approx(went.mesh.volume, rel=1e-5)
        assert back.mesh.bounds == pytest.approx(went.mesh.bounds, abs=1e-4)


def test_the_same_part_gives_the_same_bytes(part: Part, tmp_path: Path) -> None:
    for name in ("a.3mf", "b.3mf"):
        write_3mf(part, tmp_path / name, metadata=WORDS)
    assert (tmp_path / "a.3mf").read_bytes() == (tmp_path / "b.3mf").read_bytes()
    write_3mf(part, tmp_path / "b.3mf", metadata=WORDS | {"Title": "other"})
    assert (tmp_path / "a.3mf").read_bytes() != (tmp_path / "b.3mf").read_bytes()


def test_prusaslicer_reads_it(part: Part, tmp_path: Path) -> None:
    write_3mf(part, tmp_path / "part.3mf", metadata=WORDS)
    said = run(
        [*find_slicer().command, "--datadir", tmp_path / "data", "--info", tmp_path / "part.3mf"],
        environment=dict(os.environ),
        timeout_s=120,
    )
    assert said.exit_code == 0, said.errors
    assert "volume = 1000" in said.output
    assert said.output.count("manifold = yes") == 2
