"""How the widgets look: one style sheet on top of `rememberer_nb.views.STYLE`.

Text takes the theme's colour; lines and fills are semi-transparent, so that they show on light and
dark ground alike. The hues are Okabe and Ito's, which colour-blind readers can tell apart, and no
meaning rests on a hue alone: words or marks stand beside it. The doubled class outweighs the rules
that notebooks and their exports have for tables, code and preformatted text.
"""

from __future__ import annotations

from rememberer_nb.views import STYLE

_RULES = """
.rnb.rnb {max-width: 880px; box-sizing: border-box}
.rnb.rnb * {box-sizing: border-box}
.rnb.rnb code, .rnb.rnb pre {
  font-family: var(--jp-code-font-family, ui-monospace, Menlo, Consolas, monospace);
  font-size: 12px; color: inherit; background: none; border: 0; padding: 0; margin: 0}
.rnb.rnb code {overflow-wrap: anywhere; white-space: normal}
.rnb.rnb pre {white-space: pre-wrap; overflow-wrap: anywhere; word-break: normal}
.rnb.rnb .head {display: flex; flex-wrap: wrap; gap: 2px 10px; align-items: baseline}
.rnb.rnb .task {border-left: 3px solid #0072B2; padding: 2px 0 2px 10px; margin: 6px 0 8px;
  font-size: 14px}
.rnb.rnb .chip {border: 1px solid rgba(128, 128, 128, .5); border-radius: 9px; padding: 0 8px;
  white-space: nowrap}
.rnb.rnb .good {border-color: #009E73; box-shadow: inset 0 0 0 1px #009E73}
.rnb.rnb .bad {border-color: #D55E00; box-shadow: inset 0 0 0 1px #D55E00}
.rnb.rnb .stage {display: grid; grid-template-columns: 104px minmax(0, 1fr); gap: 0 12px;
  border-top: 1px solid rgba(128, 128, 128, .3); padding: 8px 0}
.rnb.rnb .name {font-weight: 600}
.rnb.rnb .name .soft {display: block; font-weight: 400; font-size: 12px; line-height: 1.3}
.rnb.rnb .box {max-height: 250px; overflow: auto; border: 1px solid rgba(128, 128, 128, .35);
  border-radius: 4px; padding: 6px 8px; background: rgba(128, 128, 128, .07)}
.rnb.rnb .label {border-radius: 3px; background: rgba(86, 180, 233, .22)}
.rnb.rnb .chosen {border-radius: 3px; background: rgba(230, 159, 0, .35); color: inherit;
  font-weight: 700; outline: 2px solid #E69F00}
.rnb.rnb mark.chosen::after {content: '◀ chosen'; font-weight: 400; margin-left: 6px}
.rnb.rnb .card + .card {margin-top: 10px; padding-top: 8px;
  border-top: 1px dashed rgba(128, 128, 128, .4)}
.rnb.rnb .scores {display: flex; flex-wrap: wrap; gap: 0 16px; margin: 2px 0}
.rnb.rnb .score {display: inline-flex; align-items: center; gap: 6px; white-space: nowrap}
.rnb.rnb .bar {display: inline-block; position: relative; width: 72px; height: 9px; flex: none;
  border-radius: 2px; background: rgba(128, 128, 128, .2); overflow: hidden}
.rnb.rnb .bar i {position: absolute; top: 0; bottom: 0; background: #0072B2; min-width: 1px}
.rnb.rnb td .bar {width: 110px; height: 11px; vertical-align: -1px; margin-right: 4px}
.rnb.rnb .bar.encouraged i {background: #009E73}
.rnb.rnb .bar.discouraged i {background: #D55E00}
.rnb.rnb .bar.plain i {background: #8c8c8c}
.rnb.rnb th, .rnb.rnb td {text-align: left; vertical-align: top; max-width: none}
.rnb.rnb table {width: 100%; table-layout: auto; margin: 4px 0 0; font-size: 12.5px; border: 0}
.rnb.rnb table.values {table-layout: fixed}
.rnb.rnb thead {border: 0; vertical-align: baseline}
.rnb.rnb th {font-weight: 600; font-size: 12px; white-space: nowrap; opacity: .75}
.rnb.rnb tr {background: none !important}
.rnb.rnb td.n, .rnb.rnb th.n {text-align: right; white-space: nowrap}
.rnb.rnb .where {margin-bottom: 6px}
.rnb.rnb pre + pre {margin-top: 12px}
.rnb.rnb details {margin: 4px 0}
.rnb.rnb summary {cursor: pointer; padding: 1px 0}
.rnb.rnb summary:focus-visible {outline: 2px solid #0072B2; outline-offset: 2px}
.rnb.rnb .error {border-left: 3px solid #D55E00; padding-left: 8px; margin-top: 4px}
.rnb.rnb .act {margin-top: 6px}
.rnb.rnb details.step {border-top: 1px solid rgba(128, 128, 128, .45); margin: 0}
.rnb.rnb details.step > summary {padding: 5px 0}
.rnb.rnb details.step[open] {padding-bottom: 10px}
.rnb.rnb details.step > .stage:first-of-type {margin-top: 8px}
.rnb.rnb details.step > summary:hover {background: rgba(128, 128, 128, .1)}
@media (max-width: 640px) {.rnb.rnb .stage {grid-template-columns: minmax(0, 1fr)}}
@media print {.rnb.rnb .box {max-height: none}}
"""


def style_sheet() -> str:
    """The `<style>` element that the widgets' HTML needs once per output."""
    return f"{STYLE}<style>{_RULES}</style>"
