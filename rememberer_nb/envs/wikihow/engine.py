"""The app: where it is, where it has been, and what an action does to it.

Whatever cannot be done changes nothing; `act` then says why.
"""

from __future__ import annotations

import re
from collections import deque

from rememberer_nb.envs.wikihow.pages import REFERENCES, PageBuilder
from rememberer_nb.envs.wikihow.screens import Page, Place, Screen
from rememberer_nb.envs.wikihow.site import Site

MAX_ACTION = 500
MAX_HISTORY = 50
_ACTION = re.compile(
    r"(?:INPUT ?\( ?(?P<field>\d{1,6}) ?,(?P<text>.*)\)"
    r"|CLICK ?\( ?(?P<element>\d{1,6}) ?\)"
    r"|SCROLL ?\( ?(?P<way>UP|DOWN) ?\)"
    r"|(?P<back>GOBACK)(?: ?\( ?\))?)",
    re.IGNORECASE | re.ASCII,
)
# Characters that no keyboard types: controls, halves of surrogate pairs, separators of lines.
_UNTYPED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

NOTHING_MOVES = "the screen stays as it is"


class Engine:
    """One visitor on one site.

    >>> from rememberer_nb.envs.wikihow.env import WikiHowEnv
    >>> engine = WikiHowEnv().engine
    >>> engine.reset()
    >>> engine.act("CLICK(77)"), engine.act("INPUT(2, mend mittens)")
    ('there is no element 77 on this screen', '')
    >>> engine.page.place
    Place(kind='results', key='mend mittens')
    """

    def __init__(self, site: Site):
        self.site = site
        self.pages = PageBuilder(site)
        self.reset()

    def reset(self) -> None:
        """Back to the start page, the history forgotten."""
        self.page: Page = self.pages.page(Place("start"))
        self.view = 0
        self._history: deque[tuple[Page, int]] = deque(maxlen=MAX_HISTORY)

    @property
    def screen(self) -> Screen:
        """The viewport in sight."""
        return self.page.screens[self.view]

    @property
    def available_actions(self) -> tuple[str, ...]:
        """Fields, what can be pressed, ways to scroll, and the way back if there is one.

        Much that can be pressed does nothing, as the screen itself does not say which.
        """
        actions = self.screen.available_actions
        return (*actions, "GOBACK") if self._history else actions

    def act(self, action: str) -> str:
        """Carry an action out; returns "" or, if nothing changed, why not."""
        if len(action) > MAX_ACTION:
            return f"the action has {len(action)} characters; {MAX_ACTION} can be typed"
        action = action.strip()
        if _UNTYPED.search(action):
            return "the action holds characters that cannot be typed"
        found = _ACTION.fullmatch(action)
        if found is None:
            return f"there is no such action: {action[:60]!r}"
        if found["field"] is not None:
            return self._type(int(found["field"]), " ".join(found["text"].split()))
        if found["element"] is not None:
            return self._press(int(found["element"]))
        return self._scroll(found["way"].upper()) if found["way"] else self._go_back()

    def _type(self, number: int, text: str) -> str:
        if missing := self._missing(number):
            return missing
        if number not in self.screen.fields:
            return f"element {number} is no field: nothing can be typed into it"
        if not text:
            return "there is nothing to type"
        return self._go(Place("results", text))

    def _press(self, number: int) -> str:
        if missing := self._missing(number):
            return missing
        if number not in self.screen.targets:
            return f"element {number} cannot be pressed"
        target = self.screen.targets[number]
        return "nothing happens when it is pressed" if target is None else self._go(target)

    def _missing(self, number: int) -> str:
        is_there = number < self.screen.n_elements
        return "" if is_there else f"there is no element {number} on this screen"

    def _scroll(self, way: str) -> str:
        view = self.view + (1 if way == "DOWN" else -1)
        if not 0 <= view < len(self.page.screens):
            return f"the page ends here: nothing to scroll {way.lower()} to"
        self.view = view
        return ""

    def _go_back(self) -> str:
        if not self._history:
            return "there is no page to go back to"
        self.page, self.view = self._history.pop()
        return ""

    def _go(self, target: Place) -> str:
        page = self.pages.page(target)
        view = page.screen_of(REFERENCES) if target.kind == REFERENCES else 0
        if page.place == self.page.place and view == self.view:
            return NOTHING_MOVES
        self._history.append((self.page, self.view))
        self.page, self.view = page, view
        return ""
