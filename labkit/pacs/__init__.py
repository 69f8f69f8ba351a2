"""Scans out of the hospital's PACS, and results into it.

Two ways lead there, DIMSE (C-FIND, C-GET, C-MOVE, C-STORE) and DICOMweb (QIDO-RS,
WADO-RS, STOW-RS); above them nothing differs.

::

    registry ─► dimse, dicomweb ─► retrieval ─► sources
    pacs.yaml   one Archive        find, fetch   pacs:NAME?… as a folder
                                   sending ─► store

A retrieval is complete or an error: the PACS lists its instances first, and each of
them must arrive.  What identifies a patient is shown to the person who asks and goes
into no message, no log and no case folder.
"""
