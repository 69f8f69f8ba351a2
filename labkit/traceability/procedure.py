"""The procedure a case follows: its stages in order, whose key signs them, until when it holds."""

import difflib
from datetime import date
from importlib import resources
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator

from labkit.case import STAGES
from labkit.errors import ParameterError


class ProcedureStage(BaseModel):
    """One stage and the role whose key signs it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    role: Literal["operator"]


class Procedure(BaseModel):
    """What a case must go through before it is released."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    version: str
    title: str
    status: str = Field(description="what may be said of it, as in the record")
    stages: tuple[ProcedureStage, ...]
    release_role: Literal["qa"]
    valid_until: date = Field(description="last day on which a stage may be run by it")
    layout_expiry_years: int = Field(ge=1, le=50)

    @field_validator("stages")
    @classmethod
    def _in_order(cls, stages: tuple[ProcedureStage, ...]) -> tuple[ProcedureStage, ...]:
        names = tuple(entry.stage for entry in stages)
        if names != STAGES:
            raise ValueError(f"the stages are {names}, not {STAGES}")
        return stages


def procedure(name: str) -> Procedure:
    """The procedure of that name.

    Raises
    ------
    ParameterError
        There is none.
    """
    folder = resources.files("labkit.traceability") / "procedures"
    known = sorted(
        file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml")
    )
    if name not in known:
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
        raise ParameterError(
            f"no procedure {name!r}",
            expected="one of " + ", ".join(known),
            where="procedure",
            fix=f"the nearest name is {nearest}",
        )
    text = (folder / f"{name}.yaml").read_text(encoding="utf-8")
    return Procedure.model_validate(yaml.safe_load(text))
