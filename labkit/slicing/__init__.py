"""The part becomes G-code: profiles, the slicer as a process, reading and checking its file."""
