"""A tiny shop, a scripted LLM, and the episodes that they make with the real loop.

Nothing here needs a test library, so that a notebook can import it too.
"""

from __future__ import annotations

from typing import Any

from rememberer_nb.agents.rememberer import rememberer
from rememberer_nb.config import ExemplarConfig, RlemConfig
from rememberer_nb.elements import Episode, Prompt, Reply, Task
from rememberer_nb.envs.webshop.profile import WEBSHOP
from rememberer_nb.loop.episode import run_episode
from rememberer_nb.memory import ExperienceMemory

NASTY = "Red Lamp <script>window.hacked = 1</script> & \"Shade\" <img src=x onerror='hacked()'>"
TASKS = (
    "i want a small red desk lamp, and price lower than $30.00 dollars",
    "i want a large blue desk lamp, and price lower than $40.00 dollars",
)
PRODUCTS = (
    ("B0LAMP0001", NASTY, "$25.0"),
    ("B0LAMP0002", "Blue Desk Lamp with Dimmer", "$35.0"),
    ("B0CHAIR003", "Oak Chair", "$80.0"),
)
SIZES = ("small", "large")
PLAN = (
    "search[red desk lamp] -> 0.80 short keywords find more",
    "click[B0LAMP0001] -> 0.90 red, a lamp and below the price",
    "click[small] -> 0.95 the wanted size",
    "click[buy now] -> 1.00 everything fits",
)


class ToyShop:
    """Search, results, item, done: the pages look like the shop's simplified ones."""

    name = "webshop"
    profile = WEBSHOP

    def __init__(self, max_steps: int = 6):
        self.max_steps = max_steps

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Start task 0 or 1."""
        number = (options or {})["task"]
        self.task = Task(f"toy-{number}", TASKS[number % 2], number)
        self.place, self.product, self.size, self.n_steps = "search", PRODUCTS[0], "", 0
        return self._page(), self._info()

    def step(self, action: str) -> Any:
        """A shop in five lines: what does not fit changes nothing."""
        self.n_steps += 1
        verb, _, label = action.rstrip("]").partition("[")
        reward = 0.0
        if verb == "search":
            self.place = "results"
        elif label in ("back to search", "< prev"):
            self.place = "search" if label == "back to search" else "results"
        elif label == "buy now" and self.place == "item":
            self.place, reward = "done", self._score()
        elif label in SIZES:
            self.size = label
        else:
            chosen = [product for product in PRODUCTS if product[0].lower() == label.lower()]
            self.place, self.product = ("item", chosen[0]) if chosen else (self.place, self.product)
        is_done = self.place == "done"
        truncated = not is_done and self.n_steps >= self.max_steps
        return self._page(), reward, is_done, truncated, self._info(reward)

    def _score(self) -> float:
        wanted = PRODUCTS[self.task.number % 2]
        is_size = self.size == SIZES[self.task.number % 2]
        return (2 * (self.product is wanted) + is_size) / 3

    def _page(self) -> str:
        head = f"Instruction: \n{self.task.text} \n"
        if self.place == "search":
            return f"WebShop \n{head}[Search]"
        if self.place == "results":
            rows = "".join(f"\n[{asin}]\n{title} \n{price} " for asin, title, price in PRODUCTS)
            return f"{head}[Back to Search]\nPage 1 (Total results: 3) \n[Next >]{rows}"
        if self.place == "item":
            sizes = "".join(f"[[{s}]]" if s == self.size else f"[{s}]" for s in SIZES)
            _, title, price = self.product
            tabs = "[Description]\n[Features]\n[Reviews]\n[Buy Now]"
            clicked = f"You have clicked {self.size}.\n" if self.size else ""
            top = f"{clicked}{head}[Back to Search]\n[< Prev]\nsize {sizes}"
            return f"{top}\n{title} \nPrice: {price} \nRating: N.A. \n{tabs}"
        return "Thank you for shopping with us! \nYour score (min 0.0, max 1.0): see the reward"

    def _info(self, reward: float = 0.0) -> dict[str, Any]:
        labels = {
            "search": ["search[<keywords>]"],
            "results": ["back to search", "next >", *(asin.lower() for asin, *_ in PRODUCTS)],
            "item": ["back to search", "< prev", *SIZES, "description", "features", "buy now"],
            "done": [],
        }[self.place]
        return {
            "task": self.task,
            "available_actions": tuple(
                label if label.startswith("search[") else f"click[{label}]" for label in labels
            ),
            "page_type": {"item": "item", "results": "results"}.get(self.place, self.place),
            "is_success": reward == 1.0,
        }


class ScriptedLLM:
    """Gives the same replies in order, again and again."""

    name = "scripted"

    def __init__(self, *replies: str):
        self.replies = replies
        self.n_calls = 0

    def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
        """The next reply."""
        text = self.replies[self.n_calls % len(self.replies)]
        self.n_calls += 1
        return Reply(text, prompt.n_tokens, len(text) // 4, 0.01, "scripted")


def learn(
    memory: ExperienceMemory,
    *replies: str,
    task: int = 0,
    exemplar: ExemplarConfig | None = None,
    **settings: Any,
) -> Episode:
    """One training episode with the given replies."""
    agent = rememberer(
        ScriptedLLM(*replies),
        WEBSHOP,
        memory,
        rlem=RlemConfig(gamma=0.9, n_step=2),
        exemplar=exemplar,
    )
    return run_episode(ToyShop(**settings), agent, task, learn=True, epoch=0)


def sample() -> tuple[Episode, ExperienceMemory]:
    """A solved episode with every stage filled, and the memory after it.

    The memory saw four attempts before: the wrong lamp, the right lamp in the wrong size, one that
    a step limit ended, and a purchase of the right lamp. The first reply holds no action.
    """
    memory = ExperienceMemory()
    learn(memory, PLAN[0], "click[b0lamp0002] -> 0.9 it comes with a dimmer", PLAN[3], task=0)
    learn(memory, PLAN[0], PLAN[1], "click[large] -> 0.5 larger is better", PLAN[3], task=0)
    learn(memory, PLAN[0], "click[next >] -> 0.4 more to come", task=1, max_steps=4)
    learn(memory, *PLAN, task=0)
    return learn(memory, "Well, I would rather not.", *PLAN[1:]), memory


def skipping_sample() -> Episode:
    """An episode whose exemplars are over a tiny budget: every hit is skipped."""
    _, memory = sample()
    return learn(memory, *PLAN, exemplar=ExemplarConfig(max_tokens=20))
