"""How the widgets look: one style sheet on top of `rememberer_nb.memory.views.STYLE`.

Text takes the theme's colour; lines and fills are semi-transparent, so that they show on light and
dark ground alike. The hues are Okabe and Ito's, which colour-blind readers can tell apart, and no
meaning rests on a hue alone: words or marks stand beside it.
"""

from __future__ import annotations

from rememberer_nb.memory.views import STYLE

_RULES = """
.rnb {max-width: 880px; box-sizing: border-box}
.rnb * {box-sizing: border-box}
.rnb code, .rnb pre {
  font-family: var(--jp-code-font-family, ui-monospace, Menlo, Consolas, monospace);
  font-size: 12px; color: inherit; background: none; border: 0; padding: 0; margin: 0}
.rnb code {overflow-wrap: anywhere; white-space: normal}
.rnb pre {white-space: pre-wrap; overflow-wrap: anywhere; word-break: normal}
.rnb .head {display: flex; flex-wrap: wrap; gap: 2px 10px; align-items: baseline}
.rnb .task {border-left: 3px solid #0072B2; padding: 2px 0 2px 10px; margin: 6px 0 8px;
  font-size: 14px}
.rnb .chip {border: 1px solid rgba(128, 128, 128, .5); border-radius: 9px; padding: 0 8px;
  white-space: nowrap}
.rnb .good {border-color: #009E73; box-shadow: inset 0 0 0 1px #009E73}
.rnb .bad {border-color: #D55E00; box-shadow: inset 0 0 0 1px #D55E00}
.rnb .stage {display: grid; grid-template-columns: 104px minmax(0, 1fr); gap: 0 12px;
  border-top: 1px solid rgba(128, 128, 128, .3); padding: 8px 0}
.rnb .name {font-weight: 600}
.rnb .name .soft {display: block; font-weight: 400; font-size: 12px; line-height: 1.3}
.rnb .box {max-height: 250px; overflow: auto; border: 1px solid rgba(128, 128, 128, .35);
  border-radius: 4px; padding: 6px 8px; background: rgba(128, 128, 128, .07)}
.rnb .label {border-radius: 3px; background: rgba(86, 180, 233, .22)}
.rnb .chosen {border-radius: 3px; background: rgba(230, 159, 0, .35); color: inherit;
  font-weight: 700; outline: 2px solid #E69F00}
.rnb mark.chosen::after {content: '◀ chosen'; font-weight: 400; margin-left: 6px}
.rnb .card + .card {margin-top: 10px; padding-top: 8px;
  border-top: 1px dashed rgba(128, 128, 128, .4)}
.rnb .scores {display: flex; flex-wrap: wrap; gap: 0 16px; margin: 2px 0}
.rnb .score {display: inline-flex; align-items: center; gap: 6px; white-space: nowrap}
.rnb .bar {display: inline-block; position: relative; width: 72px; height: 9px; flex: none;
  border-radius: 2px; background: rgba(128, 128, 128, .2); overflow: hidden}
.rnb .bar i {position: absolute; top: 0; bottom: 0; background: #0072B2; min-width: 1px}
.rnb td .bar {width: 110px; height: 11px; vertical-align: -1px; margin-right: 4px}
.rnb .bar.encouraged i {background: #009E73}
.rnb .bar.discouraged i {background: #D55E00}
.rnb .bar.plain i {background: #8c8c8c}
.rnb th, .rnb td {text-align: left; vertical-align: top; max-width: 600px}
.rnb table {width: 100%; table-layout: auto; margin: 4px 0 0; font-size: 12.5px; border: 0}
.rnb table.values {table-layout: fixed}
.rnb thead {border: 0; vertical-align: baseline}
.rnb th {font-weight: 600; font-size: 12px; white-space: nowrap; opacity: .75}
.rnb tr {background: none !important}
.rnb td.n, .rnb th.n {text-align: right; white-space: nowrap}
.rnb .where {margin-bottom: 6px}
.rnb pre + pre {margin-top: 12px}
.rnb details {margin: 4px 0}
.rnb summary {cursor: pointer; padding: 1px 0}
.rnb summary:focus-visible {outline: 2px solid #0072B2; outline-offset: -2px}
.rnb .error {border-left: 3px solid #D55E00; padding-left: 8px; margin-top: 4px}
.rnb .act {margin-top: 6px}
.rnb details.step {border-top: 1px solid rgba(128, 128, 128, .45); margin: 0}
.rnb details.step > summary {padding: 5px 0}
.rnb details.step[open] {padding-bottom: 10px}
.rnb details.step > .stage:first-of-type {margin-top: 8px}
.rnb details.step > summary:hover {background: rgba(128, 128, 128, .1)}
@media (max-width: 640px) {.rnb .stage {grid-template-columns: minmax(0, 1fr)}}
@media print {.rnb .box {max-height: none}}
"""


def style_sheet() -> str:
    """The `<style>` elements that the widgets' HTML needs once per output."""
    # Notebooks and their exports have rules of their own for tables and code: a class that is
    # named three times outweighs them.
    return f"{STYLE}<style>{_RULES.replace('.rnb', '.rnb.rnb.rnb')}</style>"
