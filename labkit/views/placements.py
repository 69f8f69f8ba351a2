"""Where a part is taken from and cut, placed by hand on the patient's surface."""

from collections.abc import Callable
from functools import partial
from html import escape
from itertools import combinations, product
from typing import Any

import ipywidgets
import numpy as np
import trimesh
from pydantic.fields import FieldInfo

from labkit.design.placing import Group, Placement, Shape
from labkit.errors import LabkitError
from labkit.parameters import bounds, choices, unit
from labkit.views.deciding import Deciding, said
from labkit.views.live_planes import LivePicture
from labkit.views.live_surfaces import LiveSurface
from labkit.views.picture import BLUE, VERMILION, Picture
from labkit.views.place_fields import (
    STEP_MM,
    WIDE,
    PlaneFields,
    label,
    place_fields,
    row,
    said_places,
    said_plane,
    text_of,
)
from labkit.views.presence import somebody_looks_on
from labkit.views.scenes import Sketch
from labkit.views.surfaces import colours_of, surface
from labkit.volume import Array

_NOTHING = ("", 0)
_SEEN_MM = 0.05
"""By which a cut stays behind its plane, so that the plane itself is drawn."""


_HERE = "the place"


def placement(
    stage: Deciding, plan: Placement, *, title: str = "Where the part is taken"
) -> Picture:
    """The patient's surface with what the parameters place on it; by hand to be moved below.

    In the page: fields in mm and degrees move a plane or a place, and the surface shows it
    at once.  Nothing is decided before *Use this place* is pressed.

    Parameters
    ----------
    stage : when it is headless, or nobody looks on, the picture is all.
    plan : what may be placed, LPS mm.
    title : a heading; no patient's name.
    """
    marks: dict[str, Array] = {}
    try:
        shapes = plan.shapes(plan.parameters)
        marks = {shape.name: _anchor(shape, plan.surface) for shape in shapes}
    except LabkitError:
        pass  # the part cannot be made of it, and says so where it is made
    picture = surface(plan.surface, title=title, marks=marks)
    if stage.headless or not somebody_looks_on():
        return picture
    return LivePicture(picture, _Bench(stage, plan, title).box)


class _Bench:
    """The surface with what is placed on it, the fields that move it, and what they do."""

    def __init__(self, stage: Deciding, plan: Placement, title: str) -> None:
        self.stage, self.plan = stage, plan
        self.live = LiveSurface(
            plan.surface, colours_of(plan.surface, []), frame="LPS", title=title
        )
        self.sketch = Sketch(self.live.scene, self.live.facts["reach_mm"])
        self.values = {name: getattr(plan.parameters, name) for name in plan.fields}
        self.items = {
            name: group.items(getattr(plan.parameters, name)) for name, group in plan.groups.items()
        }
        self.touched: set[str] = set()
        self.chosen = _NOTHING
        self.legend = ipywidgets.HTML()
        self.answer = ipywidgets.HTML(said("Move what is to be moved, then press Use this place."))
        self.only = ipywidgets.Checkbox(description="show only what is kept", indent=False)
        self.only.observe(lambda _: self._draw(), "value")
        self.choice = ipywidgets.Dropdown(description="to move", **WIDE)
        self.choice.observe(lambda change: self._choose(change.new), "value")
        self.form = ipywidgets.VBox()
        fields = type(plan.parameters).model_fields
        numbers = [self._field(name, fields[name]) for name in plan.fields]
        adding = [
            _button(f"Add: {group.name}", partial(self._add, name))
            for name, group in plan.groups.items()
        ]
        moving = [self.choice, self.form, row(*adding, _button("Remove", self._remove))]
        use = ipywidgets.Button(description="Use this place", button_style="primary")
        use.on_click(lambda _: self._use())
        self.box = ipywidgets.VBox(
            [
                self.live,
                self.legend,
                *([self.only] if plan.fields else []),
                row(*numbers),
                *(moving if plan.groups else []),
                *([use] if plan.fields or plan.groups else []),
                self.answer,
            ]
        )
        if not (plan.fields or plan.groups):
            self.answer.value = said("This family places nothing in the patient.")
        self._list(next(((name, 0) for name, items in self.items.items() if items), _NOTHING))

    @property
    def chosen_values(self) -> dict[str, Any]:
        """The parameters that were set here otherwise than they are used.

        None that was not touched: it may have been set in the panel meanwhile, and an
        untouched text stays as it was written.
        """
        set_here = {
            name: "; ".join(map(text_of, self.items[name]))
            if name in self.items
            else self.values[name]
            for name in self.touched
        }
        now = self.stage.parameters
        return {n: value for n, value in set_here.items() if getattr(now, n, None) != value}

    def _field(self, name: str, field: FieldInfo) -> ipywidgets.DOMWidget:
        look = {"value": self.values[name], "description": label(name, unit(field)), **WIDE}
        if words := choices(field):
            entry = ipywidgets.Dropdown(options=words, **look)
        else:
            low, high = bounds(field)
            entry = ipywidgets.BoundedFloatText(min=low, max=high, step=1.0, **look)

        def changed(change: Any) -> None:
            self.values[name] = change.new
            self.touched.add(name)
            self._draw()

        entry.observe(changed, "value")
        return entry

    def _list(self, chosen: tuple[str, int]) -> None:
        """Fill the list of what can be moved, and choose one of it."""
        options = [
            (f"{self.plan.groups[name].name} {n + 1}", (name, n))
            for name, items in self.items.items()
            for n in range(len(items))
        ]
        self.choice.options = [("nothing", _NOTHING), *options]
        self.choice.value = chosen
        self._choose(chosen)

    def _choose(self, chosen: tuple[str, int]) -> None:
        self.chosen = chosen
        self.form.children = () if chosen == _NOTHING else self._form(*chosen)
        self._draw()

    def _form(self, name: str, number: int) -> list[Any]:
        group, item = self.plan.groups[name], self.items[name][number]

        def moved(now: Array) -> None:
            self.items[name][number] = now
            self.touched.add(name)
            self._draw()

        if group.kind == "plane":
            return PlaneFields(item, self._middle, moved).rows
        scale = "" if group.kind == "direction" else "mm"
        return place_fields(item, group.roles, scale, moved)

    def _add(self, name: str) -> None:
        group = self.plan.groups[name]
        if len(self.items[name]) >= group.most:
            self.answer.value = said(f"There is one {group.name} already: move it.")
            return
        self.items[name].append(self._new(group))
        self.touched.add(name)
        self._list((name, len(self.items[name]) - 1))

    def _new(self, group: Group) -> Array:
        """Where something new is put: a plane at the cut that is shown, else in front."""
        low, high = self.plan.surface.bounds
        if group.kind == "plane":
            axis, sign = (max(self.live.axis, 0), 1.0 if self.live.flipped else -1.0)
            on = self._middle.copy()
            if self.live.axis >= 0:
                on[axis] = self.live.at_mm
            return np.array([on, on + sign * STEP_MM * np.eye(3)[axis]])
        if group.kind == "box":
            return np.array([low, high])
        if group.kind == "direction":
            return np.array([[0.0, 1.0, 0.0]])
        points = self.plan.surface.vertices
        front = points[np.argmin(points[:, 1] + np.abs(points - self._middle)[:, [0, 2]].sum(1))]
        aside = np.array([0.2 * (high - low)[0], 0.0, 0.0])
        steps = {
            1: [0 * aside],
            2: [0 * aside, STEP_MM * np.eye(3)[1]],
            3: [-aside, aside, STEP_MM * np.eye(3)[1]],
        }
        return np.array([front + step for step in steps[len(group.roles)]])

    def _remove(self) -> None:
        if self.chosen == _NOTHING:
            self.answer.value = said("Choose first what is to be removed.")
            return
        name, number = self.chosen
        del self.items[name][number]
        self.touched.add(name)
        self._list(_NOTHING)

    def _draw(self) -> None:
        chosen = self.chosen_values
        if chosen:
            self.stage.left_open[_HERE] = ", ".join(chosen)
        else:
            self.stage.left_open.pop(_HERE, None)
        names = [*self.plan.fields, *self.plan.groups]
        used = {n: getattr(self.stage.parameters, n, self.values.get(n)) for n in names}
        parameters = self.plan.parameters.model_copy(update=used | chosen)
        try:
            shapes = self.plan.shapes(parameters)
            kept = self.plan.kept(parameters)
        except LabkitError as error:
            self.answer.value = said(str(error))
            return
        planes, lines, numbered = [], [], []
        for n, shape in enumerate(shapes, 1):
            mine = (shape.parameter, shape.number) == self.chosen
            colour = VERMILION if mine else BLUE
            anchor = _anchor(shape, self.plan.surface)
            if shape.kind == "plane":
                planes.append((anchor, shape.points[1] - shape.points[0], colour))
            elif shape.kind == "box":
                lines += [(edge, colour) for edge in _edges(shape.points)]
            elif shape.kind == "direction":
                lines.append((np.array([anchor, self._middle]), colour))
            else:
                lines.append((shape.points, colour))
            numbered.append((str(n), anchor))
        self.sketch.draw(planes=planes, lines=lines, names=numbered)
        self.live.kept = (
            [[*each.normal.tolist(), _SEEN_MM - each.offset_mm] for each in kept]
            if self.only.value
            else []
        )
        rows = "".join(f"<li>{escape(_said_place(shape))}</li>" for shape in shapes)
        self.legend.value = f"<ol>{rows}</ol>" if rows else "<p>Nothing is placed yet.</p>"

    def _use(self) -> None:
        try:
            self.answer.value = said(self.stage.accept(self.chosen_values))
        except LabkitError as error:
            self.answer.value = said(f"Not used. {error}")
        else:
            self._draw()

    @property
    def _middle(self) -> Array:
        return np.asarray(self.plan.surface.bounds.mean(axis=0))


def _anchor(shape: Shape, mesh: trimesh.Trimesh) -> Array:
    """Where its number stands: beside the middle of the surface, or at its first place."""
    middle = np.asarray(mesh.bounds.mean(axis=0))
    if shape.kind == "plane":
        normal = shape.points[1] - shape.points[0]
        return np.asarray(
            middle - normal * (normal @ (middle - shape.points[0])) / (normal @ normal)
        )
    if shape.kind == "direction":
        length = float(np.linalg.norm(shape.points[0])) or 1.0
        return np.asarray(middle - shape.points[0] / length * np.linalg.norm(mesh.extents) / 2)
    return np.asarray(shape.points[0])


def _edges(corners: Array) -> list[Array]:
    """The twelve edges of a box, (2, 3) each."""
    ends = [np.array(end) for end in product(*corners.T)]
    return [np.array(two) for two in combinations(ends, 2) if np.sum(two[0] != two[1]) == 1]


def _said_place(shape: Shape) -> str:
    if shape.kind == "plane":
        where = said_plane(shape.points[0], shape.points[1] - shape.points[0])
    elif shape.kind == "direction":
        where = ", ".join(f"{value:g}" for value in shape.points[0])
    else:
        where = said_places(shape.points)
    return f"{shape.name} ({shape.parameter}): {where}"


def _button(name: str, act: Callable[[], None]) -> ipywidgets.Button:
    button = ipywidgets.Button(description=name, layout={"width": "auto"})
    button.on_click(lambda _: act())
    return button
