"""Associations with a PACS, and our own storage provider that it may call back."""

import logging
import queue
import socket
import ssl
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pydicom import uid
from pynetdicom import (
    AE,
    ALL_TRANSFER_SYNTAXES,
    AllStoragePresentationContexts,
    _config,
    build_context,
    evt,
)
from pynetdicom.association import Association
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext

from labkit.errors import InputError, PacsError
from labkit.pacs.registry import Dimse

# What is asked and answered names patients: none of it goes into a log.
logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
_config.LOG_HANDLER_LEVEL = "none"
_config.LOG_REQUEST_IDENTIFIERS = False
_config.LOG_RESPONSE_IDENTIFIERS = False
_config.STORE_SEND_CHUNKED_DATASET = True  # a file's own bytes, not decoded and encoded again

_USUAL = (
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEG2000Lossless,
    uid.RLELossless,
    uid.JPEG2000,
    uid.JPEGLSNearLossless,
    uid.JPEGExtended12Bit,
    uid.JPEGBaseline8Bit,
    uid.JPEGLossless,
    uid.DeflatedExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.HTJ2KLossless,
)
_RETIRED = tuple(f"1.2.840.10008.1.2.4.{last}" for last in (*range(52, 57), *range(58, 67)))

SYNTAXES = tuple(dict.fromkeys([*_USUAL, *ALL_TRANSFER_SYNTAXES, *_RETIRED]))
"""Every transfer syntax (DICOM PS3.6 A), the likely ones first.

The retired ones too: what is not offered, a PACS may transcode to what is.
"""


class _Answers(queue.Queue[Any]):
    """What the other side answered, for the thread that waits for it.

    pynetdicom's own thread looks in without waiting, and at times took the answer from under
    the request: it does not stop at once when it is told to (pynetdicom issue #875).
    """

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        if not block:
            raise queue.Empty
        return super().get(timeout=timeout)


def _take_over(event: Event, opened: ExitStack) -> None:
    """Send at once, lose no answer, and see that the socket is closed in the end.

    By default each message waits for the answer to the one before (Nagle's algorithm), and
    pynetdicom leaves a socket open that the other side has closed.
    """
    if event.assoc.is_requestor:
        event.assoc.dimse.msg_queue = _Answers()
    link = event.assoc.dul.socket
    if link is not None and link.socket is not None:
        link.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.enter_context(link.socket)


class Peer:
    """The other side of associations.

    Parameters
    ----------
    told : the PACS's entry in ``pacs.yaml``.
    folder : what the names of certificates are relative to.

    Raises
    ------
    InputError
        A certificate or key that is none.
    """

    def __init__(self, told: Dimse, folder: Path) -> None:
        self.told = told
        self.where = f"{told.ae_title} at {told.host}:{told.port}"
        self._tls = self._tls_context(folder, ssl.Purpose.SERVER_AUTH) if told.tls else None
        self._own_tls = (
            self._tls_context(folder, ssl.Purpose.CLIENT_AUTH)
            if told.tls and told.retrieve == "move"
            else None
        )

    @contextmanager
    def associated(
        self,
        contexts: list[PresentationContext],
        roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
        handlers: Sequence[EventHandlerType] = (),
        *,
        all_of_them: bool = False,
    ) -> Iterator[Association]:
        """An association for as long as it is used; whatever goes wrong aborts it.

        ``all_of_them``: every context is needed, else the first only.
        """
        with ExitStack() as opened:
            association = self._associate(contexts, roles, handlers, opened)
            try:
                accepted = [
                    (context.abstract_syntax, *context.transfer_syntax)
                    for context in association.accepted_contexts
                ]
                for context in contexts if all_of_them else contexts[:1]:
                    wanted = [(context.abstract_syntax, one) for one in context.transfer_syntax]
                    if not set(wanted) & set(accepted):
                        raise self._not_offered(context)
                yield association
                association.release()
            finally:
                if association.is_established:
                    association.abort()

    def _associate(
        self,
        contexts: list[PresentationContext],
        roles: Sequence[SCP_SCU_RoleSelectionNegotiation],
        handlers: Sequence[EventHandlerType],
        opened: ExitStack,
    ) -> Association:
        """An association that was accepted, or that took none of the contexts."""
        told = self.told
        try:
            with warnings.catch_warnings():
                # of a connection refused, pynetdicom leaves the socket to be collected
                warnings.simplefilter("ignore", ResourceWarning)
                association = self._entity().associate(
                    told.host,
                    told.port,
                    contexts,
                    told.ae_title,
                    ext_neg=list(roles),
                    tls_args=(self._tls, told.host) if self._tls else None,
                    evt_handlers=[(evt.EVT_CONN_OPEN, _take_over, [opened]), *handlers],
                )
        except OSError:  # the name is unknown
            raise self._unreachable() from None
        if association.is_rejected:
            raise self._rejected(association)
        if not association.is_established and not association.rejected_contexts:
            raise self._unreachable()
        return association

    @contextmanager
    def receiver(self, handlers: list[EventHandlerType]) -> Iterator[None]:
        """Our own storage provider, which a C-MOVE sends to; stopped at the end."""
        told = self.told
        entity = self._entity()
        entity.require_called_aet = True
        contexts = [
            build_context(context.abstract_syntax, list(SYNTAXES))
            for context in AllStoragePresentationContexts
            if context.abstract_syntax is not None
        ]
        with ExitStack() as opened:
            try:
                entity.start_server(
                    (told.own_address, told.own_port),
                    block=False,
                    ssl_context=self._own_tls,
                    evt_handlers=[(evt.EVT_CONN_OPEN, _take_over, [opened]), *handlers],
                    contexts=contexts,
                )
            except OSError as error:
                raise PacsError(
                    f"port {told.own_port} of this machine cannot be used ({error.strerror})",
                    expected="a free port, where the PACS sends to",
                    where=f"own_port of {told.ae_title} in pacs.yaml",
                    fix="end what uses it, or agree on another port with the PACS's administrators",
                ) from error
            try:
                yield
            finally:
                entity.shutdown()

    def _entity(self) -> AE:
        entity = AE(self.told.own_ae_title)
        entity.connection_timeout = self.told.connect_s
        entity.acse_timeout = self.told.connect_s
        entity.dimse_timeout = self.told.answer_s
        entity.network_timeout = self.told.answer_s
        return entity

    def _not_offered(self, context: PresentationContext) -> PacsError:
        kind = uid.UID(context.abstract_syntax or "").name
        syntax = ", ".join(uid.UID(one).name for one in context.transfer_syntax[:1])
        return PacsError(
            f"the PACS does not take {kind} ({syntax})",
            expected="a PACS that offers this service to us in this transfer syntax",
            where=self.where,
            fix="ask its administrators to allow it; for retrieving, `retrieve:` in pacs.yaml "
            "may be get or move",
        )

    def _rejected(self, association: Association) -> PacsError:
        answer = association.acceptor.primitive
        reason = "" if answer is None else f" ({answer.reason_str})"
        return PacsError(
            f"the association was rejected{reason}",
            expected=f"a PACS named {self.told.ae_title} that knows {self.told.own_ae_title}",
            where=self.where,
            fix="compare ae_title and own_ae_title in pacs.yaml with the PACS's settings",
        )

    def _unreachable(self) -> PacsError:
        """Why no association came about, found out by connecting once more."""
        told = self.told
        fix = "check host, port and network; the PACS may be down"
        try:
            with socket.create_connection((told.host, told.port), told.connect_s) as plain:
                if self._tls is not None:
                    self._tls.wrap_socket(plain, server_hostname=told.host).close()
            found = "it closed the connection, or said nothing that is DICOM"
            fix = "check the port, and whether it wants tls or a certificate of ours"
        except ssl.SSLCertVerificationError as error:
            found = f"its certificate is not trusted: {error.verify_message}"
            fix = "check ca_file and host in pacs.yaml; do not go on without"
        except ssl.SSLError as error:
            found = f"no TLS connection ({error.reason or 'handshake failed'})"
            fix = "check port, tls, cert_file and key_file in pacs.yaml"
        except socket.gaierror:
            found = "a host name that nobody knows"
        except TimeoutError:
            found = f"no connection within {told.connect_s:g} s"
        except OSError as error:
            found = f"no connection ({error.strerror})"
        return PacsError(found, expected="a PACS that answers", where=self.where, fix=fix)

    def _tls_context(self, folder: Path, purpose: ssl.Purpose) -> ssl.SSLContext:
        told = self.told
        try:
            ca_file = str(folder / told.ca_file) if told.ca_file else None
            context = ssl.create_default_context(purpose, cafile=ca_file)
            if purpose is ssl.Purpose.CLIENT_AUTH:
                context.verify_mode = ssl.CERT_REQUIRED
            if told.cert_file and told.key_file:
                context.load_cert_chain(folder / told.cert_file, folder / told.key_file)
        except (OSError, ssl.SSLError) as error:
            raise InputError(
                f"a certificate or key that cannot be used ({type(error).__name__})",
                expected="ca_file, cert_file and key_file as PEM",
                where=str(folder / "pacs.yaml"),
                fix="check the three files",
            ) from error
        return context
