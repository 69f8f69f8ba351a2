"""The colours of text and what is behind it; by themselves, as plotting takes seconds to import."""

INK, PAPER = "#1a1a1a", "#ffffff"
