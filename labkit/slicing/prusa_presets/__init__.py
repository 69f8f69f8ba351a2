"""Profiles out of PrusaSlicer's own configurations and vendor bundles."""
