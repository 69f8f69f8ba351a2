"""Voilà as the kit needs it; `labkit.staff_view` says what it shows."""

import os

from labkit.staff_view import START_VARIABLE, without_code, without_formulas

c = get_config()  # noqa: F821  # given by the loader of this file
c.VoilaConfiguration.prelaunch_hook = without_code
c.VoilaConfiguration.page_config_hook = without_formulas
c.VoilaConfiguration.template = "labkit"
c.VoilaConfiguration.allow_template_override = "NO"
c.VoilaConfiguration.allow_theme_override = "NO"
c.VoilaConfiguration.show_tracebacks = True  # the kit's errors are paragraphs for people
c.VoilaConfiguration.file_allowlist = []  # it gives files to whoever asks, without the token
c.VoilaConfiguration.resources = {"labkit_start": os.environ.get(START_VARIABLE, "")}
