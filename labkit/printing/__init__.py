"""Printing: the G-code of a case on a printer behind OctoPrint, started at most once."""
