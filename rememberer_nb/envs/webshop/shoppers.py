"""Scripted shoppers: yardsticks for the web shop between guessing and knowing.

They take the place of an agent in `run_episode` and `evaluate`. None of them uses an LLM or a
memory; `InformedShopper` reads the goal, which no agent may, and shows what the shop pays at most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rememberer_nb.elements import Decision
from rememberer_nb.envs.scripted import ScriptedAgent
from rememberer_nb.envs.webshop.profile import page_type
from rememberer_nb.envs.webshop.reward import count_options

if TYPE_CHECKING:
    from rememberer_nb.elements import Episode, Situation, StepRandom
    from rememberer_nb.envs.webshop.catalogue import Product
    from rememberer_nb.envs.webshop.goals import Goal
    from rememberer_nb.envs.webshop.shop import Shop

ChooseOptions = Callable[[str, Sequence[str]], Sequence[str]]

_BUY = "click[buy now]"
_BACK = "click[back to search]"
_PAGING = (_BACK, "click[next >]", "click[< prev]")
_TABS = ("click[description]", "click[features]", "click[reviews]", _BUY)


def no_options(task: str, labels: Sequence[str]) -> Sequence[str]:
    """The options that a shopper in a hurry chooses: none.

    >>> no_options("a red lamp", ["red", "blue"])
    ()
    """
    return ()


def option_labels(available_actions: Sequence[str]) -> tuple[str, ...]:
    """The option values that an item page offers, without "click[" and "]".

    >>> option_labels(["click[< prev]", "click[buy now]", "click[red]", "click[12 inch]"])
    ('red', '12 inch')
    """
    return tuple(
        action.removeprefix("click[").removesuffix("]")
        for action in available_actions
        if action not in (*_PAGING, *_TABS)
    )


class FirstHitShopper(ScriptedAgent):
    """Types the whole instruction, takes the first product shown, and buys it.

    Parameters
    ----------
    choose_options : (task text, labels on the item page) -> labels to click before buying.
    name : as it appears in tables.

    >>> from rememberer_nb import make_env, run_episode
    >>> episode = run_episode(make_env("webshop"), FirstHitShopper(), 120)
    >>> [step.page_type for step in episode.steps]
    ['search', 'results', 'item']
    """

    def __init__(self, choose_options: ChooseOptions = no_options, name: str = "first_hit"):
        super().__init__()
        self.name = name
        self.choose_options = choose_options

    def decide(self, situation: Situation, random: StepRandom) -> Decision:
        """Choose an action."""
        actions = situation.available_actions
        kind = page_type(situation.observation)
        if kind == "search":
            return Decision(f"search[{situation.task.text}]")
        if kind == "results":
            return Decision(next((a for a in actions if a not in _PAGING), _BACK))
        wanted = self.choose_options(situation.task.text, option_labels(actions))
        return Decision(_next_click(wanted, situation))


class InformedShopper(ScriptedAgent):
    """Knows the goal: types the wanted product's own text, clicks fitting options, and buys.

    Simplified pages show three of every ten hits; if the product is not among them, the shopper
    pages on, in vain where it stands in between.

    >>> from rememberer_nb import make_env, run_episode
    >>> env = make_env("webshop")
    >>> run_episode(env, InformedShopper(env.unwrapped.engine.shop), 120).total_reward
    1.0
    """

    name = "informed"

    def __init__(self, shop: Shop):
        super().__init__()
        self.goals = shop.goals
        self._by_asin = {product.asin: product for product in shop.products}

    def decide(self, situation: Situation, random: StepRandom) -> Decision:
        """Choose an action."""
        goal = self.goals[situation.task.number]
        product = self._by_asin[goal.asin]
        kind = page_type(situation.observation)
        if kind == "search":
            return Decision(f"search[{product.document}]")
        if kind == "results":
            click = f"click[{goal.asin.lower()}]"
            return Decision(click if click in situation.available_actions else "click[next >]")
        return Decision(_next_click(fitting_options(product, goal), situation))


def fitting_options(product: Product, goal: Goal) -> tuple[str, ...]:
    """At most one value per option group, each matching a wanted option; the goal's words first.

    >>> from rememberer_nb.envs.webshop.catalogue import Product
    >>> from rememberer_nb.envs.webshop.goals import Goal
    >>> lamp = Product("B1", "Lamp", options=(("color", ("deep red", "blue")), ("size", ("s",))))
    >>> goal = Goal("B1", "Lamp", "", "lamp", "", "a red lamp", ("dimmable",), ("red",), 30.0)
    >>> fitting_options(lamp, goal)
    ('deep red',)
    """
    chosen = []
    for _, values in product.options:
        exact = [value for value in values if value in goal.options]
        alike = [value for value in values if count_options([value], goal.options)]
        chosen += (exact or alike)[:1]
    return tuple(chosen)


def guide(env: Any) -> InformedShopper:
    """Takes the right actions; see `envs.registry.EnvSpec`."""
    return InformedShopper(env.engine.shop)


def scout(env: Any) -> tuple[FirstHitShopper, Callable[[Episode], list[tuple[str, str]]]]:
    """Walks to one product of each task; the goal's kind and department are its query and category.

    Three pages per task, a search, a results and an item page; see `envs.registry.EnvSpec`.
    """
    goals = env.unwrapped.engine.shop.goals

    def labels(episode: Episode) -> list[tuple[str, str]]:
        goal = goals[episode.task.number]
        return [(goal.query, goal.category)] * len(episode.steps)

    return FirstHitShopper(), labels


def _next_click(wanted: Sequence[str], situation: Situation) -> str:
    """The first wanted option not clicked yet in this episode, else the purchase."""
    clicks = (f"click[{label}]" for label in wanted)
    return next((c for c in clicks if c not in situation.last_actions), _BUY)
