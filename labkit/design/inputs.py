"""What a design is made from: the surfaces of the earlier stage, and files that are named."""

from labkit.design.family import Anatomy
from labkit.parameters import Design, is_path
from labkit.stage import Stage
from labkit.surface import read_stl

_SEGMENTATION = "02_segmentation"


def read_anatomy(stage: Stage) -> Anatomy:
    """The patient's surfaces from the segmentation, LPS mm; each is hashed into the record.

    Of several structures the first that was named is the one the part is made from, the
    others come by their names.
    """
    rows = stage.result_of(_SEGMENTATION).details.get("structures", [])
    files = {str(row["name"]): str(row["file"]) for row in rows} or {"": "surface.stl"}
    surfaces = [read_stl(stage.input(_SEGMENTATION, file)) for file in files.values()]
    return Anatomy(surfaces[0], dict(zip(list(files)[1:], surfaces[1:], strict=True)))


def with_files(stage: Stage) -> Design:
    """The decisions, with the places of the files that they name.

    ``labkit run`` hands places over beside the parameters, so that they stay out of the
    record; what lies there is hashed into it.
    """
    parameters: Design = stage.parameters
    named = {
        name: str(place)
        for name, field in type(parameters).model_fields.items()
        if is_path(field) and name != "case_dir" and (place := stage.path(name)) is not None
    }
    return parameters.model_copy(update=named)
