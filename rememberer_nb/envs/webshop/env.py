"""The web shop as a gymnasium environment with text observations and text actions."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rememberer_nb.elements import Task
from rememberer_nb.envs.profile import Profile
from rememberer_nb.envs.text_env import TextTaskEnv
from rememberer_nb.envs.webshop.engine import FORMATS, Engine
from rememberer_nb.envs.webshop.nouns import NounTagger, get_tagger
from rememberer_nb.envs.webshop.profile import WEBSHOP
from rememberer_nb.envs.webshop.shop import ShopSource, load_shop
from rememberer_nb.envs.webshop.storage import is_index
from rememberer_nb.errors import CatalogueError, ConfigError
from rememberer_nb.system.resources import data_path

FOLDER_VARIABLE = "REMEMBERER_WEBSHOP_DIR"
SEARCH_TEMPLATE = "search[<keywords>]"
FULL_MARK = 1.0
_FILES = {
    "items": "items_shuffle",
    "attributes": "items_ins_v2",
    "instructions": "items_human_ins",
}
_SAMPLE_LENGTH = 64


def _find_file(folder: Path, stem: str) -> Path:
    paths = [folder / f"{stem}{suffix}" for suffix in (".json.gz", ".json")]
    found = next((path for path in paths if path.is_file()), None)
    if found is None:
        raise CatalogueError("is missing, and so is its .json.gz", path=paths[-1])
    return found


def locate_files(**given: str | Path | None) -> dict[str, Path]:
    """The catalogue's three files `items`, `attributes` and `instructions`, or an index: `items`.

    Those not given lie beside `items`; without `items`, in the folder $REMEMBERER_WEBSHOP_DIR or
    among the shipped data, named as the original names them, as .json.gz or .json. A folder given
    as `items`, or in the variable, may be an index (`rememberer-nb webshop index`).

    Raises
    ------
    CatalogueError
        A file is not there.
    ConfigError
        Files are given beside an index, which holds them already.
    """
    if given.get("items") is not None:
        items = Path(str(given["items"]))
        folder, is_indexed = items.parent, items.is_dir()
    else:
        items = folder = Path(os.environ.get(FOLDER_VARIABLE) or data_path("webshop"))
        is_indexed = is_index(folder)
    if is_indexed:
        if beside := [name for name, path in given.items() if path is not None and name != "items"]:
            raise ConfigError(f"items is an index, {items}: it cannot be given {', '.join(beside)}")
        return {"items": items.resolve()}
    paths = {}
    for name, stem in _FILES.items():
        path = given.get(name)
        paths[name] = (_find_file(folder, stem) if path is None else Path(path)).resolve()
    return paths


class WebShopEnv(TextTaskEnv):
    """One customer with one task in the shop; a purchase ends the episode.

    Parameters
    ----------
    items, attributes, instructions : the original files, plain or gzipped, or an index's folder as
        `items` (`rememberer-nb webshop index` makes one); see `locate_files`.
    observation_format : "simplified" (the paper's), "text_rich" or "text" (the original's two).
    goals : "human" or "synthetic" instructions.
    seed : of the drawn prices and price limits (not of the episodes: that is `reset(seed=...)`).
    nouns : "light", "spacy", lists of nouns by title, or a `NounTagger`.

    `info` holds `task`, `available_actions`, `page_type`, `is_success` and, on the step that buys,
    `reward_info`: the parts of the reward (`reward.score_purchase`). Catalogues are read once per
    process and shared.

    Raises
    ------
    CatalogueError
        A file is missing, damaged, or lacks something; names the file and the product.
    ConfigError
        A setting is none of those above.

    Examples
    --------
    >>> env = WebShopEnv()
    >>> observation, info = env.reset(options={"task": 0})
    >>> info["page_type"], info["available_actions"]
    ('search', ('search[<keywords>]', 'click[search]'))
    >>> env.step("search[shoes]")[4]["page_type"]
    'results'
    """

    def __init__(
        self,
        *,
        items: str | Path | None = None,
        attributes: str | Path | None = None,
        instructions: str | Path | None = None,
        observation_format: str = "simplified",
        goals: str = "human",
        seed: int = 0,
        nouns: str | NounTagger | Mapping[str, Sequence[str]] = "light",
        render_mode: str | None = None,
    ):
        super().__init__(render_mode)
        if observation_format not in FORMATS:
            raise ConfigError(
                f"observation_format must be one of {', '.join(FORMATS)}, "
                f"got {observation_format!r}"
            )
        files = locate_files(items=items, attributes=attributes, instructions=instructions)
        source = ShopSource(**files, goals=goals, seed=seed, nouns=get_tagger(nouns))
        is_simplified = observation_format == "simplified"
        self.engine = Engine(load_shop(source), is_simplified=is_simplified)
        self.observation_format = observation_format
        self._task: Task | None = None
        self._is_over = False

    @property
    def tasks(self) -> Sequence[Task]:
        """One task per goal, by number."""
        return self.engine.shop.tasks

    @property
    def profile(self) -> Profile:
        """What an agent needs to know of the shop."""
        return WEBSHOP

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Start the task `options["task"]` (a number, or one as text), or one drawn at random.

        Raises
        ------
        TaskError
            There is no such task; the message names the range.
        """
        self._task = self._choose_task(seed, options)
        self._is_over = False
        self.engine.reset(self._task.number)
        return self.render(), self._info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Carry out a text action; what is not available changes nothing and earns nothing."""
        self._check_action(action, self._task is not None and not self._is_over)
        reward, self._is_over = self.engine.step(action)
        info = self._info()
        if self._is_over:
            info["is_success"] = reward == FULL_MARK
            info["reward_info"] = self.engine.reward_info
        return self.render(), reward, self._is_over, False, info

    def render(self) -> str:  # type: ignore[override]
        """The page, in the environment's format."""
        return self.engine.observe(self.observation_format)

    def _info(self) -> dict[str, Any]:
        engine = self.engine
        clicks = [f"click[{label}]" for label in engine.clickables]
        first = (SEARCH_TEMPLATE,) if engine.has_search_bar else ()
        return {
            "task": self._task,
            "available_actions": (*first, *clicks),
            "page_type": engine.page_type,
            "is_success": False,
        }
