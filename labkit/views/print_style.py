"""How prints and printers look in a page."""

from labkit.views.ink import INK

# each colour has a contrast of 4.5 : 1 or more on white (WCAG 2.2, 1.4.3)
READY, BUSY, WAITS, WRONG, QUIET = "#00664b", "#005a8e", "#8a5000", "#b00020", "#595959"

STYLE = f"""<style>
.labkit-fleet, .labkit-fleet .widget-html-content {{ color: {INK}; }}
.labkit-fleet {{ background: #ffffff; padding: 8px; }}
.labkit-fleet h3 {{ margin: 10px 0 4px; font-size: 115%; }}
.labkit-fleet p {{ margin: 2px 0; line-height: 1.35; max-width: 60em; }}
.labkit-fleet .widget-html-content, .labkit-fleet td, .labkit-fleet th,
.labkit-fleet li {{ line-height: 1.35; }}
.labkit-fleet .widget-label, .labkit-fleet .widget-label-basic {{ color: {INK}; }}
.labkit-fleet table {{ border-collapse: collapse; color: {INK}; background: #ffffff; }}
.labkit-fleet td, .labkit-fleet th {{ padding: 3px 14px 3px 0; vertical-align: top; }}
.labkit-fleet td:last-child {{ max-width: 36em; white-space: normal; }}
.labkit-card {{ border: 1px solid #767676; border-radius: 6px; padding: 10px;
  margin: 0 10px 10px 0; width: 26em; background: #ffffff; }}
.labkit-card .widget-html, .labkit-card .widget-html-content {{ width: 100%; height: auto; }}
.labkit-card .jupyter-button {{ flex: 0 0 auto; padding: 0 8px; }}
.labkit-card h4 {{ margin: 0; font-size: 110%; }}
.labkit-card small {{ color: {QUIET}; }}
.labkit-state {{ font-weight: bold; }}
.labkit-done {{ display: flex; align-items: center; gap: 8px; margin: 4px 0; }}
.labkit-bar {{ flex: 1; height: 14px; border: 1px solid {INK}; background: #ffffff; }}
.labkit-bar div {{ height: 100%; background: {BUSY}; }}
.labkit-alarm {{ border: 2px solid {WRONG}; padding: 6px; font-weight: bold; margin: 4px 0; }}
.labkit-still {{ position: relative; margin: 6px 0; width: max-content; max-width: 100%; }}
.labkit-still img {{ display: block; max-height: 150px; max-width: 100%;
  border: 1px solid #767676; }}
.labkit-still span {{ position: absolute; left: 4px; top: 4px; padding: 1px 5px;
  background: #ffffff; color: {INK}; border: 1px solid {INK}; }}
.labkit-still figcaption, .labkit-no-picture {{ color: {QUIET}; }}
.labkit-about {{ padding-left: 20px; }}
.labkit-fleet .jupyter-button {{ border: 1px solid #767676; }}
</style>"""
