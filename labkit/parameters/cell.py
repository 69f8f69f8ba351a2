"""What the parameters cell of a notebook says."""

import ast
from collections.abc import Mapping, Sequence
from typing import Any

_IPYTHON = {"In", "Out", "get_ipython", "exit", "quit", "open"}


def given_values(cell: Mapping[str, Any]) -> dict[str, Any]:
    """The plain values among a notebook's names (its ``globals()``) that its cells give."""
    given = _given(cell.get("In") or [])
    return {
        key: value
        for key, value in cell.items()
        if (given is None or key in given)
        and not key.startswith("_")
        and key not in _IPYTHON
        and not key.isupper()  # constants that the notebook imports
        and (value is None or isinstance(value, bool | int | float | str | list | dict))
    }


def _given(history: Sequence[str]) -> set[str] | None:
    """The names that the cells run so far give plain values and nothing else.

    That is the parameters cell and what papermill injects, not what the cells below
    left behind when the notebook was run before.  None without a history.
    """
    names: set[str] = set()
    for source in history:
        try:
            statements = ast.parse(source).body
            for statement in statements:
                if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
                    raise ValueError
                ast.literal_eval(statement.value)
        except (SyntaxError, ValueError):
            continue
        for statement in statements:
            targets = (
                statement.targets if isinstance(statement, ast.Assign) else [statement.target]  # type: ignore[attr-defined]
            )
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names if any(history) else None
