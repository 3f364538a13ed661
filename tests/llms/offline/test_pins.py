"""Tables of beliefs are those that met the test tasks; a change cannot pass unseen."""

from __future__ import annotations

import pytest

from rememberer_nb.envs import make_env, task_sets
from rememberer_nb.llms.offline import OfflineLLM
from rememberer_nb.llms.offline.beliefs import Kind, Number
from rememberer_nb.llms.offline.pins import PINS, table_sha256
from rememberer_nb.llms.offline.webshop import ShopBeliefs
from rememberer_nb.llms.offline.wikihow import HowToBeliefs
from rememberer_nb.system.plain import fingerprint

TABLES = {
    (beliefs.name, strength): table
    for beliefs in (ShopBeliefs, HowToBeliefs)
    for strength, table in beliefs.tables.items()
}


def test_every_table_is_pinned() -> None:
    assert PINS.keys() == TABLES.keys()


@pytest.mark.parametrize("key", sorted(PINS))
def test_a_table_is_the_one_pinned(key: tuple[str, str]) -> None:
    found = table_sha256(TABLES[key])
    assert found == PINS[key].sha256, (
        f"the {key[0]} table {key[1]!r} has changed: its SHA-256 is now {found}. Run it only on "
        "test tasks never looked at (draw the bundled data anew from another seed), or record in "
        "llms/offline/pins.py that it has met the present ones; then put the hash there"
    )


@pytest.mark.parametrize("env_name", ["webshop", "wikihow"])
def test_the_tasks_met_are_those_bundled(env_name: str) -> None:
    tasks = make_env(env_name).unwrapped.tasks
    found = fingerprint([tasks[number].text for number in task_sets(env_name)["test"]])
    met = {met.tasks for (env, _), pin in PINS.items() if env == env_name for met in pin.met}
    assert found in met, (
        f"the test tasks of {env_name} are others now, with fingerprint {found}: add to "
        "llms/offline/pins.py which tables have met them, and how"
    )


def test_the_hash_sees_every_part_of_a_table() -> None:
    def sha(bias: float = 0.4, reason: str = "why", **numbers: float) -> str:
        named = {name: Number(value, "so") for name, value in numbers.items()}
        return table_sha256({"buy": Kind(Number(bias, reason), **named)})

    tables = [
        sha(),
        sha(0.41),
        sha(reason="because"),
        sha(fit=0.1),
        sha(fit=0.2),
        sha(core=0.1),
        sha(fit=0.1, core=0.2),
        sha(core=0.2, fit=0.1),
        table_sha256({"back": Kind(Number(0.4, "why"))}),
    ]
    assert len(set(tables)) == len(tables)


def test_a_table_is_known_by_its_hash_in_the_settings() -> None:
    for (env, strength), pin in PINS.items():
        if strength == "novice":
            assert OfflineLLM(env).settings["beliefs"] == pin.sha256[:16]
