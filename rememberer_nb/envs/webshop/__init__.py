"""A web shop in pure Python that reads WebShop's files; `SPEC` is how it is registered."""

from functools import partial

from rememberer_nb.envs.registry import EnvSpec
from rememberer_nb.system.resources import data_path

SPEC = EnvSpec(
    "webshop",
    make="rememberer_nb.envs.webshop.env:WebShopEnv",
    profile="rememberer_nb.envs.webshop.profile:WEBSHOP",
    place="bundled shop",
    # Source: paper, section 4.1 (the test set and two training sets of the web shop).
    task_sets={"test": range(0, 100), "S0": range(500, 510), "S1": range(510, 520)},
    # What the notebooks look around in: no test task, and none that is trained on.
    development=range(100, 500),
    initial={name: partial(data_path, "webshop", f"{name}.json") for name in ("E0", "E1", "E2")},
    default_initial="E0",
    scout="rememberer_nb.envs.webshop.shoppers:scout",
    guide="rememberer_nb.envs.webshop.shoppers:guide",
)
