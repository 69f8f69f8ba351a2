"""Validated procedures: the notebooks run headless, in order, once, with evidence."""
