"""What the parameters of every stage have in common."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from labkit.parameters.fields import is_path


class StageParameters(BaseModel):
    """What every stage takes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    stage: ClassVar[str]
    rare: ClassVar[frozenset[str]] = frozenset()
    """Names of what is rarely set otherwise: folded away before a person."""

    case_dir: str = Field(
        default="", description="the case folder", json_schema_extra={"path": True}
    )
    operator: str = Field(default="", description="who runs the stage; empty: the login name")

    def decided(self) -> dict[str, Any]:
        """The decisions, as a record keeps them.

        Without the paths: they differ between machines, and a folder may be named
        after a patient.
        """
        paths = {name for name, field in type(self).model_fields.items() if is_path(field)}
        return self.model_dump(exclude=paths)
