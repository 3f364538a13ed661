"""The episode inspector: step through a recorded episode and see why the agent did that."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from rememberer_nb.display.widgets.html import episode_html, header_html, step_html, wrap
from rememberer_nb.elements import Episode
from rememberer_nb.errors import ConfigError
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.system.printable import brief

_N_LABEL = 60
# ipywidgets gives a slider's handle no accessible name and no way to set one. An image that has
# nothing to load sets it once the handle is there; where scripts are off, the labelled list beside
# the slider does the same work.
_NAME_SLIDER = (
    "<img alt='' hidden src='data:image/gif;base64,"
    "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7'"
    ' onload="let tries = 50; const name = () => {'
    "const box = this.closest('.rnb-inspector');"
    "const handle = box && box.querySelector('[role=slider]');"
    "if (handle) handle.setAttribute('aria-label', 'Step of the episode');"
    'else if (tries-- > 0) setTimeout(name, 100);}; name()">'
)


class EpisodeInspector(widgets.VBox):
    """Step through a recorded episode: page, retrieved experience, prompt, action, learning.

    Parameters
    ----------
    episode : what to show; it is read and never changed.
    memory : optional; adds the terms behind each similarity, as this memory explains them now.
    step : the step shown first, from 0.

    The slider takes the arrow keys; "Previous" and "Next", and the list of steps, do the same.
    Without a kernel (an HTML export, a code host) the `text/html` form of the output shows all
    steps instead; see `static_notebook`. Raises `ConfigError` if there is no such step.

    Examples
    --------
    >>> from rememberer_nb.elements import Decision, Step, Task
    >>> steps = tuple(Step(t, f"page {t}", (), "", Decision("a"), 0.0) for t in range(3))
    >>> inspector = EpisodeInspector(Episode("e", "env", "agent", Task("0", "g"), steps, ""))
    >>> inspector.step = 1
    >>> "page 1" in inspector.panel.value
    True
    """

    def __init__(self, episode: Episode, *, memory: ExperienceMemory | None = None, step: int = 0):
        n_steps = len(episode.steps)
        if not 0 <= step < max(1, n_steps):
            raise ConfigError(f"step must be in [0, {n_steps}) for this episode, got {step!r}")
        self.episode = episode
        self.memory = memory
        self.slider = _slider(n_steps, step)
        self.picker = _picker(episode, step)
        self.previous = _button("Previous", "Show the previous step")
        self.next = _button("Next", "Show the next step")
        self.show_prompt = widgets.Checkbox(
            value=False, description="Open the prompt", indent=False, layout={"width": "auto"}
        )
        self.panel = widgets.HTML()
        head = widgets.HTML(wrap(header_html(episode)) + _NAME_SLIDER)
        super().__init__([head, self._controls(), self.panel] if n_steps else [head])
        self.add_class("rnb-inspector")
        self._connect()
        self._show()

    @property
    def step(self) -> int:
        """The step shown, from 0; setting it moves the slider."""
        return self.slider.value - 1

    @step.setter
    def step(self, index: int) -> None:
        if not 0 <= index < len(self.episode.steps):
            raise ConfigError(
                f"step must be in [0, {len(self.episode.steps)}) for this episode, got {index!r}"
            )
        self.slider.value = index + 1

    def to_html(self) -> str:
        """Every step as one HTML document fragment, without scripts; what exports show."""
        return episode_html(self.episode, self.memory)

    def _controls(self) -> widgets.Widget:
        layout = widgets.Layout(flex_flow="row wrap", max_width="880px", align_items="center")
        children = [self.previous, self.next, self.slider, self.picker, self.show_prompt]
        return widgets.HBox(children, layout=layout)

    def _connect(self) -> None:
        widgets.link((self.slider, "value"), (self.picker, "value"))
        self.slider.observe(self._show, "value")
        self.show_prompt.observe(self._show, "value")
        self.previous.on_click(lambda _: self._move(-1))
        self.next.on_click(lambda _: self._move(1))

    def _move(self, by: int) -> None:
        # The slider keeps its value within its bounds.
        self.slider.value += by

    def _show(self, _: Any = None) -> None:
        n_steps = len(self.episode.steps)
        self.previous.disabled = self.step <= 0
        self.next.disabled = self.step >= n_steps - 1
        if n_steps:
            is_open = self.show_prompt.value
            shown = step_html(self.episode, self.step, self.memory, is_prompt_open=is_open)
            self.panel.value = wrap(shown)

    def __repr__(self) -> str:
        name = brief(self.episode.episode_id, _N_LABEL)
        return f"EpisodeInspector({name!r}, {len(self.episode.steps)} steps)"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """The widget view, and beside it the static form that survives an export."""
        bundle = super()._repr_mimebundle_(**kwargs)
        return {**bundle, "text/plain": repr(self), "text/html": self.to_html()}


def _slider(n_steps: int, step: int) -> widgets.IntSlider:
    return widgets.IntSlider(
        value=step + 1,
        min=1,
        max=max(1, n_steps),
        description="Step",
        disabled=n_steps == 0,
        style={"description_width": "auto"},
        layout={"width": "240px"},
    )


def _picker(episode: Episode, step: int) -> widgets.Dropdown:
    options = [(_label(s.index, s.page_type, s.action), s.index + 1) for s in episode.steps]
    return widgets.Dropdown(
        options=options or [("no steps", 1)],
        value=step + 1,
        description="Go to",
        style={"description_width": "auto"},
        layout={"width": "290px"},
    )


def _label(index: int, page_type: str, action: str) -> str:
    text = " · ".join(part for part in (str(index + 1), page_type, action) if part)
    return brief(text, _N_LABEL)


def _button(description: str, tooltip: str) -> widgets.Button:
    return widgets.Button(description=description, tooltip=tooltip, layout={"width": "auto"})
