"""Make ``docs/design/scaffold.png``: ``python docs/design/make_scaffold_picture.py``."""

from pictures import row_of

from labkit.parameters import Scaffold

PARTS = (
    Scaffold(),
    Scaffold(offset=True, shape="cylinder"),
    Scaffold(pattern="0/60/120"),
    Scaffold(structure="gyroid network", shape="cylinder"),
)
"""Pile, offset, three directions, level set."""

if __name__ == "__main__":
    row_of("scaffold", PARTS, (22, -26, 22), (0, 0, 1.5))
