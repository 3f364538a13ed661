"""Small pages of both environments by hand, and prompts made of them."""

from __future__ import annotations

from collections.abc import Sequence

from rememberer_nb.config import PromptConfig
from rememberer_nb.elements import Advice, Exemplar, Prompt, Situation, Task
from rememberer_nb.envs import get_profile
from rememberer_nb.prompting.prompts import build_prompt

SHOP, HOW_TO = get_profile("webshop"), get_profile("wikihow")
TASK = "i want a soft red desk lamp in size small, and price lower than 30.00 dollars"
SEARCH_PAGE = f"WebShop \nInstruction:  \n{TASK} \n[Search]"
PRODUCTS = (
    ("B000000001", "Plain Floor Lamp for Home", "$25.0"),
    ("B000000002", "Soft Red Desk Lamp, Modern", "$20.0 to $24.5"),
    ("B000000003", "Soft Red Desk Lamp, Deluxe", "$45.0"),
)
TABS = ("description", "features", "reviews")


HOW_TO_TASK = (
    'Search an article to learn how to mend a kite. Then, access the article "How to Mend a Kite"'
)
HOW_TO_START = """\
<button alt="Open navigation drawer" id="0" clickable="true"></button>
<img class="search button" alt="Search" id="2" clickable="true">
Instruction: Search an article to learn how to mend a kite."""
HOW_TO_RESULTS = """\
<input class="search src text" value="mend a kite" type="text" id="1" clickable="true">
<div id="3" clickable="true">How to Fly a Kite</div>
<div id="4" clickable="true">How to Mend a Kite</div>
<p id="5" clickable="true">41,446 views</p>
Instruction: Access the article "How to Mend a Kite\""""
MOVES = ["SCROLL(UP)", "SCROLL(DOWN)", "GOBACK"]
START_ACTIONS = ["INPUT(2, <text>)", "CLICK(0)", "CLICK(2)", *MOVES]
RESULTS_ACTIONS = ["INPUT(1, <text>)", "CLICK(1)", "CLICK(3)", "CLICK(4)", "CLICK(5)", *MOVES]
CONTENT_ACTIONS = ["INPUT(1, <text>)", *(f"CLICK({n})" for n in (0, 1, 2, 3, 5, 6, 7)), *MOVES]


def content_page(
    links: Sequence[str] = ("How to Fly a Kite", "Kites", "Ann Poe"),
    instruction: str = "Access the page of category Kites",
) -> str:
    """An article, with links to a related one, its category and its author."""
    buttons = ("Open navigation drawer", "Search", "More options", "Share")
    lines = [f'<img alt="{alt}" id="{n}" clickable="true">' for n, alt in enumerate(buttons)]
    lines.append('<div id="4" clickable="false">Fix the frame.</div>')
    lines += [f'<p id="{n}" clickable="true">{link}</p>' for n, link in enumerate(links, 5)]
    return "\n".join([*lines, f"Instruction: {instruction}"])


def results_page(
    products: Sequence[tuple[str, str, str]] = PRODUCTS,
    *,
    visited: Sequence[str] = (),
    number: int = 1,
    total: int = 50,
) -> str:
    """A page of search results."""
    lines = ["Instruction: ", TASK, "[Back to Search]", f"Page {number} (Total results: {total}) "]
    lines += ["[< Prev]"] if number > 1 else []
    lines.append("[Next >]")
    for asin, title, price in products:
        lines += [f"[[{asin}]]" if asin in visited else f"[{asin}]", f"{title} ", f"{price} "]
    return "\n".join(lines)


def results_actions(
    products: Sequence[tuple[str, str, str]] = PRODUCTS, *, number: int = 1
) -> list[str]:
    """What can be clicked on `results_page`."""
    labels = ["back to search", *(["< prev"] if number > 1 else []), "next >"]
    return [f"click[{label}]" for label in [*labels, *(asin.lower() for asin, *_ in products)]]


def item_page(
    *,
    title: str = "Soft Red Desk Lamp, Modern",
    price: str = "$20.0",
    colors: str = "[blue][red]",
    sizes: str = "[small][large]",
) -> str:
    """A product's page; "[[red]]" in a group marks a clicked option."""
    groups = [f"{name} {row}" for name, row in (("color", colors), ("size", sizes)) if row]
    lines = ["Instruction: ", TASK, "[Back to Search]", "[< Prev]", *groups, f"{title} "]
    lines += [f"Price: {price} ", "Rating: N.A. ", "[Description]", "[Features]", "[Reviews]"]
    return "\n".join([*lines, "[Buy Now]"])


def item_actions(options: Sequence[str] = ("blue", "red", "small", "large")) -> list[str]:
    """What can be clicked on `item_page`."""
    return [f"click[{label}]" for label in ["back to search", "< prev", *TABS, "buy now", *options]]


def sub_page() -> str:
    """A product's description."""
    return f"Instruction: \n{TASK} \n[Back to Search]\n[< Prev]\nA lamp that is soft and red."


def exemplar(
    observation: str,
    *,
    task: str = TASK,
    encouraged: Sequence[tuple[str, float | None]] = (),
    discouraged: Sequence[tuple[str, float | None]] = (),
) -> Exemplar:
    """An exemplar from (action, value) pairs."""
    return Exemplar(
        record_id=1,
        task=task,
        observation=observation,
        encouraged=tuple(Advice(action, value, "it went well") for action, value in encouraged),
        discouraged=tuple(Advice(action, value) for action, value in discouraged),
    )


def prompt(
    observation: str,
    actions: Sequence[str],
    *exemplars: Exemplar,
    task: str = TASK,
    last_actions: Sequence[str] = (),
    config: PromptConfig | None = None,
) -> Prompt:
    """A prompt; `exemplars` with the most similar first."""
    now = Situation(Task("0", task), observation, tuple(actions), tuple(last_actions))
    return build_prompt(SHOP, now, exemplars, config=config)


def search_prompt(*exemplars: Exemplar, task: str = TASK) -> Prompt:
    """The prompt of a search page."""
    return prompt(SEARCH_PAGE, ["search[<keywords>]", "click[search]"], *exemplars, task=task)


def item_prompt(*exemplars: Exemplar) -> Prompt:
    """The prompt of an item page without chosen options."""
    return prompt(item_page(), item_actions(), *exemplars)


def results_prompt(*exemplars: Exemplar) -> Prompt:
    """The prompt of a first page of results."""
    return prompt(results_page(), results_actions(), *exemplars)
