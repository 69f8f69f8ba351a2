"""The colour of text; here by itself, since plotting takes seconds to import."""

INK = "#1a1a1a"
