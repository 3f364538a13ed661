"""The bundled how-to site: made from its seed, balanced, solvable; its demonstrations replay."""

from __future__ import annotations

import importlib
import json
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from rememberer_nb.envs import make_env
from rememberer_nb.envs.tasks import task_numbers, task_sets

FOLDER = Path(__file__).resolve().parents[2] / "data" / "wikihow"
FILES = ("site.json.gz", "tasks.json")
RESERVED = {number for numbers in task_sets("wikihow").values() for number in numbers}


@pytest.fixture(scope="module")
def import_script():
    """Import a script of the data folder as its command line would find it."""
    # The shop's folder has a script of the same name.
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        patch.delitem(sys.modules, "make_demonstrations", raising=False)
        yield importlib.import_module
        sys.modules.pop("make_demonstrations", None)


@pytest.fixture(scope="module")
def maker(import_script) -> ModuleType:
    return import_script("make_site")


@pytest.fixture(scope="module")
def made(maker):
    return maker.make_site()


@pytest.fixture(scope="module")
def env():
    return make_env("wikihow", site=FOLDER / FILES[0])


@pytest.fixture(scope="module", params=["E0", "E1", "E2"])
def memory(request) -> dict:
    return json.loads((FOLDER / f"{request.param}.json").read_text(encoding="utf-8"))


def test_files_are_what_the_seed_makes(maker, made):
    for name, data in made.files().items():
        assert maker.unpack((FOLDER / name).read_bytes()) == maker.unpack(data), name


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(maker, made):
    assert maker.make_site().files() == made.files()
    assert maker.make_site(seed=1).site["articles"] != made.site["articles"]


def test_other_seeds_make_a_site_too(maker):
    for seed in (1, 2, 3):
        other = maker.make_site(seed)
        assert len(other.tasks["tasks"]) == 200
        assert len({article["title"] for article in other.site["articles"]}) >= 200


def test_written_files_pass_the_check_and_a_changed_one_fails(maker, tmp_path, capsys):
    assert maker.main(["--out", str(tmp_path)]) == 0
    assert maker.main(["--check", "--out", str(tmp_path)]) == 0
    (tmp_path / FILES[1]).write_text("{}", encoding="utf-8")
    assert maker.main(["--check", "--out", str(tmp_path)]) == 1
    assert FILES[1] in capsys.readouterr().err


def test_check_prints_the_numbers_of_the_readme(maker, capsys):
    assert maker.main(["--check"]) == 0
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    lines = capsys.readouterr().out.splitlines()
    # How many bytes a file packs to depends on the machine's zlib.
    for line in (line for line in lines if not line.endswith(" bytes")):
        assert line.strip() in readme


def test_the_readme_has_the_oracle_s_lengths(env, capsys):
    from rememberer_nb.envs.wikihow import oracle

    oracle.main()
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    assert all(line in readme for line in capsys.readouterr().out.splitlines())


def test_files_are_small_and_carry_no_time(made):
    assert (FOLDER / FILES[0]).stat().st_size < 300_000
    assert made.files()[FILES[0]][4:8] == bytes(4)


def test_enough_articles_in_enough_categories(env):
    site = env.unwrapped.engine.site
    tops = [category for category in site.categories if category.parent is None]
    assert len(site.articles) >= 200
    assert len(tops) >= 12
    for number, category in enumerate(site.categories):
        if category.parent is None:
            assert len(site.of_category(number)) >= 12


def test_articles_are_whole_and_different(env):
    articles = env.unwrapped.engine.site.articles
    assert len({article.title.lower() for article in articles}) == len(articles)
    for number, article in enumerate(articles):
        assert article.title.startswith("How to ")
        assert 2 <= len(article.parts) <= 3
        assert sum(len(part.steps) for part in article.parts) >= 6
        assert len(article.references) >= 3
        assert len(set(article.related)) == 4
        assert number not in article.related
        texts = [article.intro, *(s for part in article.parts for s in part.steps)]
        assert all("{" not in text and "  " not in text for text in texts)


def test_nearly_every_article_has_a_near_miss(env):
    words = [set(a.title.lower().split()[2:]) for a in env.unwrapped.engine.site.articles]
    shares = [
        max(len(one & other) / len(one | other) for j, other in enumerate(words) if j != i)
        for i, one in enumerate(words)
    ]
    # Four in five share half of all words with another title.
    assert sum(share >= 0.5 for share in shares) > 0.75 * len(shares)
    assert min(shares) > 0


def test_every_author_has_a_page_worth_reading(env):
    site = env.unwrapped.engine.site
    assert all(len(site.of_author(i)) >= 2 for i in range(len(site.authors)))
    assert len({author.name for author in site.authors}) == len(site.authors)


@pytest.mark.parametrize(("name", "size"), [("test", 70), ("S0", 10), ("S1", 10)])
def test_task_sets_are_balanced_over_the_kinds(env, name, size):
    numbers = task_numbers(name, len(env.tasks), "wikihow")
    assert len(numbers) == size
    kinds = Counter(env.unwrapped.how_to_tasks[number].kind for number in numbers)
    assert set(kinds.values()) == {size // 10}
    assert len(kinds) == 10


def test_task_sets_are_disjoint_and_leave_enough_for_development(env):
    assert len(RESERVED) == 90
    assert len(env.tasks) >= 150
    assert len(env.tasks) - len(RESERVED) >= 60


def test_each_task_begins_with_an_article_of_its_own(env):
    tasks = env.unwrapped.how_to_tasks
    assert len({task.goals[0].target for task in tasks}) == len(tasks)
    assert len({task.text for task in env.tasks}) == len(tasks)
    assert {len(task.goals) for task in tasks} == {1, 2, 3, 4, 5}
    for task in tasks:
        # No goal is reached already when it is revealed.
        assert all(a != b for a, b in zip(task.goals, task.goals[1:], strict=False))


def test_goals_follow_from_one_another(env):
    site = env.unwrapped.engine.site
    for task in env.unwrapped.how_to_tasks:
        article = None
        for before, goal in zip(task.goals, task.goals[1:], strict=False):
            if goal.kind == "article":
                number = goal.target
                allowed = {
                    "search": lambda b: (b.target,),
                    "article": lambda b: site.articles[b.target].related,
                    "author": lambda b: site.of_author(b.target),
                    "category": lambda b: site.of_category(b.target),
                }[before.kind](before)
                assert number in allowed
                assert article != number
                article = number
            elif goal.kind == "author":
                assert goal.target in site.articles[article].authors
            elif goal.kind == "category":
                topic = site.articles[article].topic
                assert goal.target in (topic, site.categories[topic].parent)


def test_demonstrations_are_on_tasks_that_nobody_else_uses(memory):
    assert int(memory["task_id"]) not in RESERVED


def test_demonstrations_replay_to_the_end(memory, env):
    number = int(memory["task_id"])
    observation, info = env.reset(options={"task": number})
    left = len(env.unwrapped.how_to_tasks[number].goals)
    for record in memory["records"]:
        assert record["task"] == env.tasks[number].text
        assert record["observation"] == observation
        assert record["available_actions"] == list(info["available_actions"])
        good = record["actions"][0]
        assert good["q_value"] == left
        observation, reward, terminated, _, info = env.step(good["action"])
        assert reward == good["reward"]
        left -= reward
    assert terminated
    assert left == 0


def test_demonstrations_advise_for_and_against(memory, env):
    assert memory["env"] == "wikihow"
    actions = [record["actions"] for record in memory["records"]]
    discouraged = [(r, r["actions"][1]) for r in memory["records"] if len(r["actions"]) > 1]
    assert discouraged
    assert all(action["q_value"] == 0.0 for _, action in discouraged)
    assert all(action["action"] in record["available_actions"] for record, action in discouraged)
    assert all(len(action["rationale"]) > 10 for pair in actions for action in pair)


def test_demonstrations_are_of_different_kinds(env):
    numbers = [int(json.loads((FOLDER / f"E{i}.json").read_text())["task_id"]) for i in range(3)]
    assert len({env.unwrapped.how_to_tasks[number].kind for number in numbers}) == 3


def test_demonstration_files_pass_their_check(import_script, tmp_path, capsys):
    script = import_script("make_demonstrations")
    assert script.HERE == FOLDER
    assert script.main(["--check"]) == 0
    assert script.main(["--check", "--out", str(tmp_path)]) == 1
    assert "E0.json" in capsys.readouterr().err
