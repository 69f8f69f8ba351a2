"""Which commands a print may hold: a list of what is allowed, reasons for what is not.

Whatever is on neither list is refused as unknown, so that the reasons below need not be complete.

Sources: Marlin, marlinfw.org/docs/gcode/Mnnn.html, a page per command (M500 to M504, M092, M302,
M211, M028, M030, M206, M303, M306, M808, M919, M997, M112, M118); what a host does on its own,
docs.octoprint.org/en/1.10.1/features/atcommands.html (``@…`` in a file) and action_commands.html
(``//action:…`` that a printer sends, as M118 makes it); other firmware, reprap.org/wiki/G-code
(RepRapFirmware: M98, M505, M550 to M559, M586, M587; Prusa: D-codes); Klipper's extended
commands (SAVE_CONFIG, RUN_SHELL_COMMAND …), klipper3d.org/G-Codes.html, are no commands of
letter and number and so unreadable.
"""

ALLOWED = frozenset(
    (
        *("G4", "G21", "G28", "G29", "G90", "G91", "G92", "M82", "M83"),
        *("M17", "M18", "M84", "T0"),  # motors, the one extruder
        *("M104", "M109", "M140", "M190", "M105", "M106", "M107", "M155"),  # heat and fan
        *("M73", "M75", "M77", "M114", "M115", "M300", "M400", "M486"),  # progress, talk
    )
)
"""What a print needs: motion modes, homing, levelling, heat, fan, progress."""

WATCHED = {
    "G80": "levels the bed on Prusa firmware only",
    "M117": "shows a text on the display, which may carry a name",
    "M201": "sets the largest acceleration",
    "M203": "sets the largest speed",
    "M204": "sets the acceleration",
    "M205": "sets the jerk",
    "M220": "changes the speed of what follows",
    "M221": "changes the flow of what follows",
    "M420": "switches the stored bed levelling",
    "M862.1": "asks for a nozzle size",
    "M862.3": "asks for a printer model",
    "M900": "sets the pressure advance",
    "M907": "sets the motor current",
    "M0": "waits for a person",
    "M1": "waits for a person",
    "M600": "changes the filament: needs a person",
    "M601": "pauses: needs a person",
}
"""Allowed, with a warning."""

PERCENT_LIMITS = {"M220": (50, 150), "M221": (80, 120)}
"""Lowest and highest percentage that a print may set."""

FORBIDDEN = {
    # what the firmware keeps
    "M500": "stores settings in the printer's memory",
    "M501": "loads settings from the printer's memory",
    "M502": "resets the printer's settings",
    "M504": "checks the printer's memory",
    "M505": "clears the printer's memory, or changes where it reads its settings",
    "M503": "asks for the printer's settings, which a print does not need",
    **dict.fromkeys(("M510", "M511", "M512"), "locks the printer"),
    "M200": "counts filament in cubic millimetres",
    "M305": "changes the thermometers",
    "M309": "changes the chamber's control",
    "M350": "changes the motors' steps",
    "M421": "changes the stored bed levelling",
    "M425": "changes what is added for backlash",
    "M593": "changes the shaping of vibrations",
    **dict.fromkeys(("M908", "M909", "M910"), "changes the motor current"),
    **dict.fromkeys(("M911", "M912", "M913", "M919"), "changes the motor drivers"),
    "M92": "changes the steps per millimetre",
    "M206": "moves the home position",
    "M428": "moves the home position",
    "M851": "changes the probe's height",
    "M665": "changes the geometry",
    "M666": "changes the end stops",
    "M852": "changes the skew",
    "M301": "changes the hotend's control",
    "M303": "tunes the heaters, unattended",
    "M304": "changes the bed's control",
    "M306": "tunes the heaters, unattended",
    "M569": "changes the motor drivers",
    "M575": "changes the connection's speed",
    "M906": "changes the motor current",
    "M914": "changes the sensorless homing",
    "M997": "replaces the firmware",
    # what keeps the printer safe
    "M302": "allows cold extrusion",
    "M211": "switches the software end stops",
    "M120": "switches the end stops",
    "M121": "switches the end stops",
    "M108": "ends the wait for a temperature",
    "M112": "stops the printer at once",
    "M999": "restarts after an emergency stop",
    "M80": "switches the power",
    "M81": "switches the power",
    "M85": "sets the time until the motors go off",
    "M290": "shifts the height while printing",
    "M410": "stops all moves at once",
    "M412": "switches the watch for the filament's end",
    "M413": "switches the recovery after a power loss",
    "M876": "answers a question that a person should",
    # files, pins, network, scripts
    **dict.fromkeys(("M20", "M21", "M22", "M23", "M24", "M25", "M26"), "works on the SD card"),
    **dict.fromkeys(
        ("M27", "M28", "M29", "M32", "M33", "M34", "M36", "M928"), "works on the SD card"
    ),
    "M30": "deletes a file from the SD card",
    **dict.fromkeys(("M42", "M43", "M226", "M260", "M261", "M280", "M340"), "works on pins"),
    "M118": "sends text to the host, which may take it as an action",
    "M98": "runs a macro",
    **{f"M{number}": "runs a macro, or keeps one" for number in range(810, 820)},
    "M808": "repeats a part of the file",
    **dict.fromkeys(("M524", "M540"), "ends a print from the SD card"),
    **{f"M{number}": "changes the network" for number in range(550, 555)},
    **dict.fromkeys(("M586", "M587", "M588", "M589"), "changes the network"),
    **dict.fromkeys(("M559", "M560"), "replaces the printer's own files"),
    # coordinates that this check does not follow, and other machines
    "G20": "counts in inches",
    "G2": "is an arc, which is not checked",
    "G3": "is an arc, which is not checked",
    "G10": "retracts by the firmware's own settings, or moves the zero point",
    "G11": "retracts by the firmware's own settings",
    **dict.fromkeys(("G53", "G54", "G55", "G56", "G57", "G58", "G59"), "moves the zero point"),
    **dict.fromkeys(("G17", "G18", "G19"), "selects a plane: for a mill"),
    **dict.fromkeys(("M3", "M4", "M5"), "drives a spindle or laser"),
    **dict.fromkeys(("M7", "M8", "M9", "M10", "M11"), "switches coolant or vacuum: for a mill"),
    **dict.fromkeys(("G40", "G41", "G42", "G43", "G49"), "corrects for a cutter: for a mill"),
    **dict.fromkeys(("G93", "G94", "G95"), "counts the feed as mills do"),
    **dict.fromkeys(("M2", "M6"), "ends a program or changes a tool: for a mill"),
}
"""Refused, with the reason; whatever is in none of the lists is refused as unknown."""

OTHER_MACHINES = frozenset(
    (
        *("G17", "G18", "G19", "G20", "G40", "G41", "G42", "G43", "G49", "G53", "G54", "G64"),
        *("G80", "G81", "G82", "G83", "G93", "G94", "G95", "G98", "G99"),
        *("M2", "M3", "M4", "M5", "M6", "M7", "M8", "M9", "M10", "M11", "M30"),
        *("M60", "M61", "M62"),
    )
)
"""What a file that hardly extrudes gives away: it is for a mill, a laser or a plotter.

RS274/NGC (linuxcnc.org/docs/html/gcode/overview.html); the last three drive FABtotum's laser."""
