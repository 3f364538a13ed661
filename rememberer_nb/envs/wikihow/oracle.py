"""The shortest way through a task, found by breadth-first search over the site itself.

``python -m rememberer_nb.envs.wikihow.oracle`` prints how long the ways are. No agent may use this:
it reads goals, titles and links, and asks no LLM.

Tried are all clicks and scrolls and, of all texts that could be typed, the title that the present
goal needs. Going back is not tried: it leads to where one has been, and every goal but an article
is one click away where it is revealed, while any article takes at most two steps (its title, and a
click), so no way gets shorter by it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from typing import NamedTuple

from rememberer_nb.envs.wikihow.env import WikiHowEnv
from rememberer_nb.envs.wikihow.goals import HowToTask
from rememberer_nb.envs.wikihow.pages import REFERENCES, PageBuilder
from rememberer_nb.envs.wikihow.screens import Place


class _Node(NamedTuple):
    place: Place
    view: int
    n_reached: int


def shortest_path(env: WikiHowEnv, number: int) -> tuple[str, ...]:
    """The actions of a shortest way through a task.

    >>> [action.partition("(")[0] for action in shortest_path(WikiHowEnv(), 93)]
    ['INPUT', 'CLICK', 'CLICK']
    """
    pages, task = env.engine.pages, env.how_to_tasks[number]
    start = _Node(Place("start"), 0, 0)
    came: dict[_Node, tuple[_Node, str] | None] = {start: None}
    waiting = deque([start])
    while waiting:
        node = waiting.popleft()
        for action, after in _moves(pages, task, node):
            if after in came:
                continue
            came[after] = (node, action)
            if after.n_reached == len(task.goals):
                return _actions(came, after)
            waiting.append(after)
    return ()


def _actions(came: dict[_Node, tuple[_Node, str] | None], node: _Node) -> tuple[str, ...]:
    actions: list[str] = []
    while (step := came[node]) is not None:
        node, action = step
        actions.append(action)
    return tuple(reversed(actions))


def _moves(pages: PageBuilder, task: HowToTask, node: _Node) -> Iterator[tuple[str, _Node]]:
    page = pages.page(node.place)
    screen = page.screens[node.view]
    goal = task.goals[node.n_reached]
    for number in sorted(screen.fields):
        if goal.kind in ("search", "article"):
            title = pages.site.articles[goal.target].title
            yield f"INPUT({number}, {title})", _arrive(pages, task, node, Place("results", title))
    for number, target in screen.targets.items():
        if target is not None:
            yield f"CLICK({number})", _arrive(pages, task, node, target)
    for action, view in (("SCROLL(UP)", node.view - 1), ("SCROLL(DOWN)", node.view + 1)):
        if action in screen.available_actions:
            yield action, _arrive(pages, task, node, node.place, view)


def _arrive(
    pages: PageBuilder, task: HowToTask, node: _Node, target: Place, view: int | None = None
) -> _Node:
    page = pages.page(target)
    if view is None:
        view = page.screen_of(REFERENCES) if target.kind == REFERENCES else 0
    has_moved = (page.place, view) != (node.place, node.view)
    is_reached = has_moved and task.goals[node.n_reached].is_reached(page, page.screens[view])
    return _Node(page.place, view, node.n_reached + is_reached)


def path_lengths(env: WikiHowEnv) -> dict[str, list[int]]:
    """Kind of task -> lengths of the shortest ways; each way is played in the environment.

    Raises
    ------
    AssertionError
        A way does not earn every reward in as many steps (that would be a fault of the site).
    """
    lengths: dict[str, list[int]] = {}
    for task in env.tasks:
        path = shortest_path(env, task.number)
        env.reset(options={"task": task.number})
        results = [env.step(action) for action in path]
        n_goals = len(env.how_to_tasks[task.number].goals)
        total = sum(result[1] for result in results)
        if not path or not results[-1][2] or total != n_goals:
            raise AssertionError(f"task {task.number} earns {total} of {n_goals} by {path}")
        lengths.setdefault(env.how_to_tasks[task.number].kind, []).append(len(path))
    return lengths


def main() -> None:
    """Print, per kind of task, how many tasks have which shortest length."""
    lengths = path_lengths(WikiHowEnv())
    for kind, values in lengths.items():
        counts = ", ".join(f"{n}: {c}" for n, c in sorted(Counter(values).items()))
        print(f"{kind:18}{len(values):4} tasks solved; steps: {counts}")
    every = [n for values in lengths.values() for n in values]
    print(f"{'all':18}{len(every):4} tasks solved; {min(every)} to {max(every)} steps")


if __name__ == "__main__":
    main()
