"""Parts from patient surfaces: one module per family, one way to use them all."""

from labkit.design.anatomical_model import design_anatomical_model, editing_error
from labkit.design.part import Feature, Part, write_3mf

__all__ = ["Feature", "Part", "design_anatomical_model", "editing_error", "write_3mf"]
