"""A PACS by DIMSE: C-ECHO, C-FIND, C-GET or C-MOVE, C-STORE (DICOM PS3.4 B and C, PS3.7).

Interrupted, a retrieval is cancelled (C-CANCEL) and its association aborted, so that the
PACS stops sending at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydicom import config, uid
from pydicom.dataset import Dataset
from pynetdicom import build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.status import (
    QR_FIND_SERVICE_CLASS_STATUS,
    QR_GET_SERVICE_CLASS_STATUS,
    QR_MOVE_SERVICE_CLASS_STATUS,
    STATUS_PENDING,
    STATUS_WARNING,
    STORAGE_SERVICE_CLASS_STATUS,
    code_to_category,
)

from labkit.errors import PacsError
from labkit.pacs.archive import Level, Outgoing, Progress, Taker
from labkit.pacs.association import SYNTAXES, Peer
from labkit.pacs.registry import Dimse

_VERIFICATION = uid.UID("1.2.840.10008.1.1")
_FIND = uid.UID("1.2.840.10008.5.1.4.1.2.2.1")
_MOVE = uid.UID("1.2.840.10008.5.1.4.1.2.2.2")
_GET = uid.UID("1.2.840.10008.5.1.4.1.2.2.3")
"""Verification (DICOM PS3.4 A) and the study root information models (PS3.4 C.4)."""

_USUAL_CLASSES = (
    uid.CTImageStorage,
    uid.MRImageStorage,
    uid.EnhancedCTImageStorage,
    uid.EnhancedMRImageStorage,
    uid.LegacyConvertedEnhancedCTImageStorage,
    uid.XRay3DAngiographicImageStorage,
    uid.SecondaryCaptureImageStorage,
    uid.SegmentationStorage,
    uid.EncapsulatedSTLStorage,
)
"""Asked for when a PACS does not list SOP classes."""

_MOST_CONTEXTS = 128
"""In one association: odd numbers up to 255 (DICOM PS3.8 9.3.2.2)."""

_REFUSED_OUT_OF_RESOURCES = 0xA700


class DimseArchive:
    """A PACS that is reached by DIMSE.

    Parameters
    ----------
    told : its entry in ``pacs.yaml``.
    folder : what the names of certificates are relative to.

    Raises
    ------
    InputError
        A certificate or key that is none.
    """

    def __init__(self, told: Dimse, folder: Path) -> None:
        self._peer = Peer(told, folder)
        self.where = self._peer.where

    def echo(self) -> None:
        """Whether it answers a C-ECHO."""
        with self._peer.associated([build_context(_VERIFICATION)]) as link:
            self._require_success(link.send_c_echo(), "C-ECHO", {})

    def search(self, level: Level, keys: Mapping[str, str]) -> list[Dataset]:
        """What fits, by C-FIND."""
        found = []
        with self._peer.associated([build_context(_FIND)]) as link:
            for status, answer in link.send_c_find(_identifier(level, keys), _FIND):
                if "Status" in status and code_to_category(status.Status) == STATUS_PENDING:
                    if answer is None:
                        raise self._failed("an answer to C-FIND that cannot be decoded")
                    found.append(answer)
                else:
                    self._require_success(status, "C-FIND", QR_FIND_SERVICE_CLASS_STATUS)
        return found

    def retrieve(self, study_uid: str, series: Mapping[str, Sequence[str]], take: Taker) -> None:
        """Every instance, by C-GET or C-MOVE as ``pacs.yaml`` says."""
        handlers: list[EventHandlerType] = [(evt.EVT_C_STORE, _keep, [take])]
        wanted = {
            one: _identifier("SERIES", {"StudyInstanceUID": study_uid, "SeriesInstanceUID": one})
            for one in series
        }
        if self._peer.told.retrieve == "move":
            with self._peer.receiver(handlers):
                for identifier in wanted.values():
                    self._move(identifier)
        else:
            for one, identifier in wanted.items():
                self._get(identifier, series[one] or _USUAL_CLASSES, handlers)

    def store(self, files: Sequence[Outgoing], progress: Progress) -> int:
        """Send files by C-STORE, each in its own transfer syntax."""
        kinds = sorted({(file.sop_class_uid, file.transfer_syntax_uid) for file in files})
        refused: list[int] = []
        sent = changed = 0
        for start in range(0, len(kinds), _MOST_CONTEXTS):
            now = kinds[start : start + _MOST_CONTEXTS]
            contexts = [build_context(kind, syntax) for kind, syntax in now]
            with self._peer.associated(contexts, all_of_them=True) as link:
                for file in files:
                    if (file.sop_class_uid, file.transfer_syntax_uid) not in now:
                        continue
                    status = link.send_c_store(file.path)
                    if "Status" not in status:
                        raise self._failed(f"no answer to C-STORE after {sent} instances")
                    if code_to_category(status.Status) == STATUS_WARNING:
                        changed += 1
                    elif status.Status != 0:
                        refused.append(status.Status)
                    sent += 1
                    progress(sent, len(files))
        if refused:
            raise self._failed(
                f"{len(refused)} of {len(files)} instances were refused, the first with "
                + _words(refused[0], STORAGE_SERVICE_CLASS_STATUS)
            )
        return changed

    def _get(
        self, identifier: Dataset, classes: Sequence[str], handlers: list[EventHandlerType]
    ) -> None:
        # each in a context of its own: of a list the PACS would pick one, and transcode to it
        syntaxes = SYNTAXES[: (_MOST_CONTEXTS - 1) // len(classes)]
        contexts = [build_context(kind, syntax) for kind in classes for syntax in syntaxes]
        roles = [build_role(kind, scp_role=True) for kind in classes]
        with self._peer.associated([build_context(_GET), *contexts], roles, handlers) as link:
            responses = link.send_c_get(identifier, _GET)
            self._carry_out(link, responses, "C-GET", _GET, QR_GET_SERVICE_CLASS_STATUS)

    def _move(self, identifier: Dataset) -> None:
        with self._peer.associated([build_context(_MOVE)]) as link:
            responses = link.send_c_move(identifier, self._peer.told.own_ae_title, _MOVE)
            self._carry_out(link, responses, "C-MOVE", _MOVE, QR_MOVE_SERVICE_CLASS_STATUS)

    def _carry_out(
        self,
        link: Association,
        responses: Iterator[tuple[Dataset, Dataset | None]],
        name: str,
        model: uid.UID,
        words: Mapping[int, tuple[str, str]],
    ) -> None:
        status = Dataset()
        try:
            for status, _ in responses:  # noqa: B007 (the last one counts)
                pass
        except BaseException:
            if link.is_established:
                link.send_c_cancel(1, query_model=model)
            raise
        failed = status.get("NumberOfFailedSuboperations") or 0
        if failed:
            raise self._failed(
                f"{failed} instances could not be sent ({name}: {_words(status.Status, words)})",
                name,
            )
        self._require_success(status, name, words)

    def _require_success(
        self, status: Dataset, name: str, words: Mapping[int, tuple[str, str]]
    ) -> None:
        if "Status" not in status:
            raise PacsError(
                f"no answer to {name} within {self._peer.told.answer_s:g} s, or a lost connection",
                expected="an answer to each request",
                where=self.where,
                fix="try again; the PACS may not allow this to "
                f"{self._peer.told.own_ae_title}, and a slow one needs a larger answer_s",
            )
        if status.Status != 0:
            raise self._failed(f"{name} ended with {_words(status.Status, words)}", name)

    def _failed(self, found: str, name: str = "") -> PacsError:
        told = self._peer.told
        fix = "try again; if it stays so, ask the PACS's administrators with this code"
        if name == "C-MOVE":
            fix += (
                f", and whether it knows {told.own_ae_title} at this machine's address and port "
                f"{told.own_port}; or use retrieve: get"
            )
        return PacsError(found, expected="every request carried out", where=self.where, fix=fix)


def _keep(event: Event, take: Taker) -> int:
    """Answer a C-STORE: what arrived is kept as it was sent."""
    content = event.encoded_dataset()

    def write(path: Path) -> None:
        path.write_bytes(content)

    return 0 if take(event.dataset, write) else _REFUSED_OUT_OF_RESOURCES


def _identifier(level: Level, keys: Mapping[str, str]) -> Dataset:
    asked = Dataset()
    with config.disable_value_validation():  # wildcards and ranges are no values
        asked.QueryRetrieveLevel = level
        if not all(value.isascii() for value in keys.values()):
            asked.SpecificCharacterSet = "ISO_IR 192"
        for key, value in keys.items():
            setattr(asked, key, value)
    return asked


def _words(status: int, known: Mapping[int, tuple[str, str]]) -> str:
    return f"status 0x{status:04X} {known.get(status, ('', ''))[1]}".strip()
