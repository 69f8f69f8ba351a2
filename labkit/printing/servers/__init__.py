"""The kinds of printer's server behind one interface, and the practice server."""
