"""A how-to site of own articles; `SPEC` is how it is registered."""

from functools import partial

from rememberer_nb.envs.registry import EnvSpec
from rememberer_nb.system.resources import data_path

SPEC = EnvSpec(
    "wikihow",
    make="rememberer_nb.envs.wikihow.env:WikiHowEnv",
    profile="rememberer_nb.envs.wikihow.profile:WIKIHOW",
    place="bundled how-to site",
    # Sizes as in the paper; which tasks is our choice. Those not named are for development.
    task_sets={"test": range(0, 70), "S0": range(70, 80), "S1": range(80, 90)},
    development=range(90, 200),
    initial={name: partial(data_path, "wikihow", f"{name}.json") for name in ("E0", "E1", "E2")},
    default_initial="E0",
    scout="rememberer_nb.envs.wikihow.visitors:scout",
    guide="rememberer_nb.envs.wikihow.visitors:OracleVisitor",
)
