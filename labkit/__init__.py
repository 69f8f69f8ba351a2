"""labkit: scan to signed record, for hospital 3D-printing labs.

Stages never import each other; they meet in the case folder (`labkit.case`).
"""

from importlib.metadata import version

__version__ = version("labkit")
