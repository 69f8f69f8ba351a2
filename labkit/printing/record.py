"""What is known of a print job, for ``job.json`` and for a technician."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from labkit.printing.jobs import Job, Register, State

SCHEMA = "labkit/job/2"

FIRMWARE = "firmware_settings"
"""The name under which the register keeps what the firmware told of itself."""


class Moment(BaseModel):
    """When a job was in which state, and what was seen."""

    model_config = ConfigDict(frozen=True)

    at: str
    state: State
    seen: str


class JobRecord(BaseModel):
    """A print job: what was printed where, what became of it, and what nobody knows."""

    model_config = ConfigDict(frozen=True)

    job: str
    case: str
    printer: str
    attempt: int
    practice: bool
    state: State
    summary: str
    known: tuple[str, ...]
    not_known: tuple[str, ...]
    started_here: bool
    file_name: str
    file_size_bytes: int
    sha1: str
    sha256: str
    canonical_sha256: str
    filepos_bytes: int | None
    print_time_s: float | None
    server_version: str
    firmware_settings: str | None
    layers_seen: dict[int, str]
    history: tuple[Moment, ...]

    def as_dict(self) -> dict[str, Any]:
        """The content of ``job.json``."""
        return {"schema": SCHEMA, **self.model_dump(mode="json")}


_SUMMARY: dict[State, str] = {
    "planned": "Not printed: the file is not on the printer's server yet.",
    "approved": "Not printed: approved, but the file is not on the printer's server yet.",
    "uploaded": "Not printed: the file is on the printer's server but was not checked.",
    "verified": "Not printed: the file is on the printer's server, ready to start.",
    "starting": "The start was asked for; whether the printer began is not known.",
    "printing": "Printing, when last seen.",
    "finished": "Printed to the end.",
    "failed": "Not printed to the end: the print failed or was never accepted.",
    "cancelled": "Not printed to the end: somebody cancelled it.",
    "lost": "What became of the print is not known.",
}


def record_of(job: Job, register: Register, *, started_here: bool = False) -> JobRecord:
    """The record of a job.

    Parameters
    ----------
    register : where it stands, with the layers that were seen and the firmware's settings.
    started_here : whether the call that asks is the one that started the print.
    """
    firmware = register.kept(job.job_id).get(FIRMWARE)
    known, not_known = _sentences(job)
    if firmware is None:
        not_known.append("How the firmware was set: nobody could ask, or it did not tell.")
    summary = _SUMMARY[job.state]
    if job.practice:
        summary = f"Practice, nothing real was printed. {summary}"
    return JobRecord(
        job=job.job_id,
        case=job.case_code,
        printer=job.printer,
        attempt=job.attempt,
        practice=job.practice,
        state=job.state,
        summary=summary,
        known=tuple(known),
        not_known=tuple(not_known),
        started_here=started_here,
        file_name=job.file_name,
        file_size_bytes=job.file_size_bytes,
        sha1=job.sha1,
        sha256=job.sha256,
        canonical_sha256=job.canonical_sha256,
        filepos_bytes=job.filepos_bytes,
        print_time_s=job.print_time_s,
        server_version=job.server_version,
        firmware_settings=firmware,
        layers_seen=register.layers(job.job_id),
        history=tuple(Moment(at=line.at, state=line.state, seen=line.seen) for line in job.history),
    )


def _sentences(job: Job) -> tuple[list[str], list[str]]:
    known, not_known = [], []
    last = job.history[-1].seen if job.history else ""
    if any(line.state == "verified" for line in job.history):
        known.append("The file on the server was compared with the approved one.")
    if job.filepos_bytes is not None:
        known.append(f"The print reached byte {job.filepos_bytes} of {job.file_size_bytes}.")
    known += [f"{line.at}: {line.seen}." for line in job.history if "ALARM" in line.seen]
    if job.state in ("failed", "cancelled", "lost"):
        known.append(f"Last seen: {last}.")
    if job.state == "finished" and job.print_time_s is not None:
        known.append(f"It took {job.print_time_s:.0f} s.")
    if job.state == "starting":
        not_known.append("Whether the printer began.")
    if job.state == "lost":
        not_known.append("Whether the printer began, went on or stopped.")
    if job.state == "finished":
        not_known.append("Whether the part is good: only inspection tells.")
    if job.state in ("failed", "cancelled", "lost"):
        known.append(
            "It is never started again by itself: look at the printer, clear the bed, "
            "then raise the attempt number."
        )
    return known, not_known
