"""Which transfer syntaxes can be decoded."""

from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSTransferSyntaxes,
    RLELossless,
)

NATIVE = {
    str(uid)
    for uid in (
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    )
}
COMPRESSED = {
    str(uid)
    for uid in (
        JPEGBaseline8Bit,
        JPEGExtended12Bit,
        JPEGLossless,
        JPEGLosslessSV1,
        *JPEGLSTransferSyntaxes,
        JPEG2000Lossless,
        *JPEG2000TransferSyntaxes,
        RLELossless,
    )
}


def is_encapsulated(transfer_syntax: str) -> bool:
    """Whether pixels are compressed, in fragments (PS3.5 A.4)."""
    return transfer_syntax not in NATIVE


def why_undecodable(transfer_syntax: UID) -> str:
    """Why pixels in a transfer syntax cannot be read, with its name; empty if they can."""
    if transfer_syntax in NATIVE or transfer_syntax in COMPRESSED:
        return ""
    if not transfer_syntax.is_valid:
        return "compressed in a transfer syntax that is no UID"
    name = "" if transfer_syntax.is_private else transfer_syntax.name
    named = f"{name} ({transfer_syntax})" if name not in ("", transfer_syntax) else transfer_syntax
    return f"compressed as {named}, which no decoder here reads"
