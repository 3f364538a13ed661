"""Tasks: chains of goals, their wording as a command, and when a goal is reached.

The command of a task has one sentence per goal, a line each, worded as in the paper::

    Search an article to learn how to bake rye bread.
    Then, access the article "How to Bake Rye Bread"
    Then, check the author page of Una Okafor, MA.

The task's text, the key of the memory, is the whole command, as in the published memories; the
environment reveals its sentences one at a time (`Goal.instruction`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rememberer_nb.elements import Task
from rememberer_nb.envs.wikihow.pages import REFERENCES
from rememberer_nb.envs.wikihow.screens import Page, Screen
from rememberer_nb.envs.wikihow.site import Site, check_format, load_site
from rememberer_nb.errors import DataError, shown
from rememberer_nb.system.files import read_json
from rememberer_nb.system.resources import cached_by_files

FORMAT = "rememberer_nb/how-to-tasks"
MAX_GOALS = 5


@dataclass(frozen=True, slots=True)
class Goal:
    """One thing to be done.

    Parameters
    ----------
    kind : "search", "article", "category", "author", "references" or "about".
    target : number of the article (that is searched, accessed, or whose references are wanted),
        the category or the author; 0 for "about".
    sentence : as the command words it, without "Then, ".
    """

    kind: str
    target: int
    sentence: str

    @property
    def instruction(self) -> str:
        """The sentence as it is revealed: with a capital letter."""
        return self.sentence[:1].upper() + self.sentence[1:]

    def is_reached(self, page: Page, screen: Screen) -> bool:
        """Whether a screen that has just come up fulfils the goal.

        A search counts if the wanted article is among all its hits; the reference list if its
        heading is in sight.
        """
        kind, key = page.place
        if self.kind == "search":
            return kind == "results" and self.target in page.hits
        if self.kind == REFERENCES:
            return kind == "article" and key == self.target and REFERENCES in screen.anchors
        return kind == self.kind and key == self.target


@dataclass(frozen=True, slots=True)
class HowToTask:
    """A chain of goals; `kind` names its pattern."""

    kind: str
    goals: tuple[Goal, ...]

    @property
    def command(self) -> str:
        """The whole command, a line per sentence."""
        first, *rest = (goal.sentence for goal in self.goals)
        return "\n".join([first[:1].upper() + first[1:], *(f"Then, {text}" for text in rest)])


def word(kind: str, name: str, site: Site) -> str:
    """The sentence of a goal.

    >>> from rememberer_nb.envs.wikihow.env import WikiHowEnv
    >>> word("search", "How to Mend a Kite", WikiHowEnv().engine.site)
    'search an article to learn how to mend a kite.'
    """
    if kind == "search":
        return f"search an article to learn {name[:1].lower()}{name[1:].lower()}."
    return {
        "article": f'access the article "{name}"',
        "category": f"access the page of category {name}",
        "author": f"check the author page of {name}.",
        REFERENCES: "check the reference list",
        "about": f"access the about page to learn why people trust {site.name}.",
    }[kind]


@cached_by_files(4, lambda path, site_path: [path, site_path])
def load_tasks(path: Path, site_path: Path) -> tuple[HowToTask, ...]:
    """The tasks of a file over the site of another; read once per process, until a file changes.

    Raises
    ------
    DataError
        The file is damaged or names something that the site lacks; names the file and the task.
    """
    content = check_format(read_json(path), FORMAT, path)
    rows = content.get("tasks")
    if not isinstance(rows, list):
        raise DataError("expected a list", path=path, field="tasks")
    site = load_site(site_path)
    return tuple(_task(row, site, path, f"tasks[{i}]") for i, row in enumerate(rows))


def _task(row: Any, site: Site, path: Path, where: str) -> HowToTask:
    pairs = row.get("goals") if isinstance(row, dict) else None
    if not isinstance(pairs, list) or not 1 <= len(pairs) <= MAX_GOALS:
        raise DataError(f"expected 1 to {MAX_GOALS} goals", path=path, field=where)
    goals: list[Goal] = []
    for pair in pairs:
        if not (
            isinstance(pair, list) and len(pair) == 2 and all(isinstance(p, str) for p in pair)
        ):
            raise DataError(f"expected [kind, name], found {shown(pair)}", path=path, field=where)
        goals.append(_goal(pair[0], pair[1], site, goals, path, where))
    return HowToTask(str(row.get("kind", "")), tuple(goals))


def _goal(kind: str, name: str, site: Site, before: Sequence[Goal], path: Path, where: str) -> Goal:
    accessed = [goal.target for goal in before if goal.kind == "article"]
    numbers: Mapping[str, Mapping[str, int]] = {
        "search": site.article_numbers,
        "article": site.article_numbers,
        "category": site.category_numbers,
        "author": site.author_numbers,
        "about": {"": 0},
        # The list is that of the article accessed last.
        REFERENCES: {"": accessed[-1]} if accessed else {},
    }
    if name not in numbers.get(kind, {}):
        raise DataError(f"the site has no {kind:.40} {shown(name)}", path=path, field=where)
    return Goal(kind, numbers[kind][name], word(kind, name, site))


def as_tasks(tasks: Sequence[HowToTask]) -> tuple[Task, ...]:
    """The tasks as agents know them, by number."""
    return tuple(Task(str(i), task.command, i) for i, task in enumerate(tasks))
