"""A block as a STEP file (AP214), written out entity by entity."""

from collections.abc import Sequence

import numpy as np

_CORNERS = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)]
_SIDES = [(0, 3, 2, 1), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7)]
_HEAD = """ISO-10303-21;
HEADER;
FILE_DESCRIPTION((''),'2;1');
FILE_NAME('','',(''),(''),'','','');
FILE_SCHEMA(('AUTOMOTIVE_DESIGN'));
ENDSEC;
DATA;
"""


class _Entities:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, text: str) -> str:
        self.lines.append(f"#{len(self.lines) + 1}={text};")
        return f"#{len(self.lines)}"

    def point(self, at: Sequence[float]) -> str:
        return self.add(f"CARTESIAN_POINT('',({','.join(str(float(x)) for x in at)}))")

    def direction(self, along: Sequence[float]) -> str:
        return self.add(f"DIRECTION('',({','.join(str(float(x)) for x in along)}))")

    def frame(self, at: Sequence[float], z: Sequence[float], x: Sequence[float]) -> str:
        words = f"{self.point(at)},{self.direction(z)},{self.direction(x)}"
        return self.add(f"AXIS2_PLACEMENT_3D('',{words})")

    def unit(self, name: str) -> str:
        if name == "inch":
            mm = self.add("(LENGTH_UNIT()NAMED_UNIT(*)SI_UNIT(.MILLI.,.METRE.))")
            size = self.add(f"LENGTH_MEASURE_WITH_UNIT(LENGTH_MEASURE(25.4),{mm})")
            length = self.add("DIMENSIONAL_EXPONENTS(1.,0.,0.,0.,0.,0.,0.)")
            words = f"CONVERSION_BASED_UNIT('INCH',{size})LENGTH_UNIT()NAMED_UNIT({length})"
            return self.add(f"({words})")
        prefix = {"mm": ".MILLI.", "m": "$"}[name]
        return self.add(f"(LENGTH_UNIT()NAMED_UNIT(*)SI_UNIT({prefix},.METRE.))")


def block_step(size: tuple[float, float, float], unit: str) -> str:
    """The text of a STEP file with a block of this size in mm, m or inch."""
    made = _Entities()
    corners = np.array(_CORNERS, float) * size
    points = [made.add(f"VERTEX_POINT('',{made.point(corner)})") for corner in corners]
    edges: dict[tuple[int, int], str] = {}
    faces = []
    for side in _SIDES:
        around = []
        for a, b in zip(side, (*side[1:], side[0]), strict=True):
            if (a, b) not in edges and (b, a) not in edges:
                way = corners[b] - corners[a]
                length = float(np.linalg.norm(way))
                vector = made.add(f"VECTOR('',{made.direction(way / length)},{length})")
                line = made.add(f"LINE('',{made.point(corners[a])},{vector})")
                edges[a, b] = made.add(f"EDGE_CURVE('',{points[a]},{points[b]},{line},.T.)")
            edge, sense = (edges[a, b], ".T.") if (a, b) in edges else (edges[b, a], ".F.")
            around.append(made.add(f"ORIENTED_EDGE('',*,*,{edge},{sense})"))
        loop = made.add(f"EDGE_LOOP('',({','.join(around)}))")
        bound = made.add(f"FACE_OUTER_BOUND('',{loop},.T.)")
        along = corners[side[1]] - corners[side[0]]
        normal = np.cross(along, corners[side[2]] - corners[side[1]])
        place = made.frame(
            corners[side[0]], normal / np.linalg.norm(normal), along / np.linalg.norm(along)
        )
        plane = made.add(f"PLANE('',{place})")
        faces.append(made.add(f"ADVANCED_FACE('',({bound}),{plane},.T.)"))
    shell = made.add(f"CLOSED_SHELL('',({','.join(faces)}))")
    _product(made, made.add(f"MANIFOLD_SOLID_BREP('block',{shell})"), unit)
    return _HEAD + "\n".join(made.lines) + "\nENDSEC;\nEND-ISO-10303-21;\n"


def _product(made: _Entities, body: str, unit: str) -> None:
    length = made.unit(unit)
    angle = made.add("(NAMED_UNIT(*)PLANE_ANGLE_UNIT()SI_UNIT($,.RADIAN.))")
    solid_angle = made.add("(NAMED_UNIT(*)SI_UNIT($,.STERADIAN.)SOLID_ANGLE_UNIT())")
    sure = made.add(f"UNCERTAINTY_MEASURE_WITH_UNIT(LENGTH_MEASURE(1.E-6),{length},'','')")
    context = made.add(
        f"(GEOMETRIC_REPRESENTATION_CONTEXT(3)GLOBAL_UNCERTAINTY_ASSIGNED_CONTEXT(({sure}))"
        f"GLOBAL_UNIT_ASSIGNED_CONTEXT(({length},{angle},{solid_angle}))"
        "REPRESENTATION_CONTEXT('',''))"
    )
    origin = made.frame((0, 0, 0), (0, 0, 1), (1, 0, 0))
    shape = made.add(f"ADVANCED_BREP_SHAPE_REPRESENTATION('',({origin},{body}),{context})")
    application = made.add("APPLICATION_CONTEXT('automotive design')")
    drawn = made.add(f"PRODUCT_CONTEXT('',{application},'mechanical')")
    product = made.add(f"PRODUCT('block','block','',({drawn}))")
    form = made.add(f"PRODUCT_DEFINITION_FORMATION('','',{product})")
    stage = made.add(f"PRODUCT_DEFINITION_CONTEXT('part definition',{application},'design')")
    defined = made.add(f"PRODUCT_DEFINITION('','',{form},{stage})")
    named = made.add(f"PRODUCT_DEFINITION_SHAPE('','',{defined})")
    made.add(f"SHAPE_DEFINITION_REPRESENTATION({named},{shape})")
