"""The loop of REMEMBERER as a drawing, with the stage at hand marked.

An SVG of our own on a white ground, so that it reads on light and dark pages and where a notebook
is shown without a kernel.
"""

from __future__ import annotations

import html
from dataclasses import dataclass

from rememberer_nb.errors import ConfigError

# name -> (left, top, width, height, lines); pixels.
_BOXES = {
    "task": (10, 30, 120, 56, ("task g",)),
    "environment": (180, 30, 160, 56, ("environment",)),
    "memory": (10, 180, 170, 72, ("experience memory", "Q(g, o, a)")),
    "retrieval": (240, 180, 190, 72, ("similar records", "λ f_g + (1 − λ) f_o")),
    "exemplars": (490, 180, 190, 72, ("exemplars", "encouraged, discouraged")),
    "prompt": (490, 30, 100, 56, ("prompt",)),
    "llm": (622, 30, 112, 56, ("LLM", "weights fixed")),
    "rlem": (240, 310, 190, 60, ("RLEM", "n-step Q-learning")),
}
STAGES = tuple(_BOXES)
# (points of a polyline, label, label position, anchor)
_ARROWS = (
    (((130, 58), (180, 58)), "", (0, 0), "start"),
    (((340, 48), (490, 48)), "observation o", (415, 40), "middle"),
    (((300, 86), (300, 180)), "o, g", (308, 138), "start"),
    (((180, 216), (240, 216)), "", (0, 0), "start"),
    (((430, 216), (490, 216)), "m best", (460, 208), "middle"),
    (((540, 180), (540, 86)), "", (0, 0), "start"),
    (((590, 58), (622, 58)), "", (0, 0), "start"),
    (((678, 30), (678, 12), (260, 12), (260, 30)), "reply: action a", (470, 8), "middle"),
    (((215, 86), (215, 340), (240, 340)), "reward r, next o", (210, 292), "end"),
    (((335, 370), (335, 390), (95, 390), (95, 252)), "new values", (215, 384), "middle"),
)
_INK, _MARK, _FILL = "#1f2933", "#E69F00", "#eef4fa"


@dataclass(frozen=True, slots=True)
class LoopDiagram:
    """The loop as a picture for a notebook.

    `marked` names the stages (of `STAGES`) that stand out.

    Examples
    --------
    >>> LoopDiagram(("memory",))
    task → environment → retrieval ← [memory] → exemplars → prompt → LLM → action → RLEM → memory
    >>> "experience memory" in LoopDiagram()._repr_svg_()
    True
    """

    marked: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = sorted(set(self.marked) - set(STAGES))
        if unknown:
            raise ConfigError(f"no stage {unknown[0]!r}; there are {', '.join(STAGES)}")

    def __repr__(self) -> str:
        def name(stage: str) -> str:
            shown = stage.upper() if stage in ("llm", "rlem") else stage
            return f"[{shown}]" if stage in self.marked else shown

        before = f"{name('task')} → {name('environment')} → {name('retrieval')} ← {name('memory')}"
        after = f"{name('exemplars')} → {name('prompt')} → {name('llm')} → action → {name('rlem')}"
        return f"{before} → {after} → memory"

    def _repr_svg_(self) -> str:
        boxes = "".join(_box(name, name in self.marked) for name in _BOXES)
        arrows = "".join(_arrow(*arrow) for arrow in _ARROWS)
        title = "The loop: " + ", ".join(STAGES)
        return (
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 -8 740 408' width='740' "
            f"height='408' role='img' aria-label='{title}' "
            "font-family='system-ui, sans-serif' font-size='13'>"
            "<defs><marker id='rnb-tip' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='8' "
            f"markerHeight='8' orient='auto'><path d='M0 0L8 4L0 8z' fill='{_INK}'/></marker>"
            "</defs>"
            f"<rect x='0' y='-8' width='740' height='408' fill='#ffffff'/>{arrows}{boxes}</svg>"
        )


def _box(name: str, is_marked: bool) -> str:
    left, top, width, height, lines = _BOXES[name]
    stroke, wide = (_MARK, 4) if is_marked else (_INK, 1.2)
    middle = left + width / 2
    first = top + height / 2 + 5 - 9 * (len(lines) - 1)
    texts = "".join(
        f"<text x='{middle:g}' y='{first + 18 * i:g}' text-anchor='middle' fill='{_INK}'"
        f" font-weight='{600 if i == 0 else 400}'>{html.escape(line)}</text>"
        for i, line in enumerate(lines)
    )
    return (
        f"<rect x='{left}' y='{top}' width='{width}' height='{height}' rx='8' fill='{_FILL}' "
        f"stroke='{stroke}' stroke-width='{wide}'/>{texts}"
    )


def _arrow(
    points: tuple[tuple[int, int], ...], label: str, place: tuple[int, int], anchor: str
) -> str:
    path = " ".join(f"{x},{y}" for x, y in points)
    line = (
        f"<polyline points='{path}' fill='none' stroke='{_INK}' stroke-width='1.4' "
        "marker-end='url(#rnb-tip)'/>"
    )
    if not label:
        return line
    x, y = place
    return (
        f"{line}<text x='{x}' y='{y}' text-anchor='{anchor}' fill='{_INK}' font-size='12'>"
        f"{html.escape(label)}</text>"
    )
