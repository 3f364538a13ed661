"""Session logs of the original server: small ones by hand, the recorded ones, damaged ones."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.cli import main
from rememberer_nb.elements import Episode
from rememberer_nb.envs.webshop.logs.react import summarise
from rememberer_nb.envs.webshop.logs.session_rewards import check_rewards, summarise_checks
from rememberer_nb.envs.webshop.logs.sessions import read_sessions
from rememberer_nb.errors import CatalogueError, TranscriptError
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.rlem import learn_episode
from rememberer_nb.system.plain import from_data, to_data

GOAL = {
    "asin": "B0WANTED01",
    "instruction_text": "i want a soft red lamp",
    "attributes": ["soft", "dimmable"],
    "goal_options": ["red"],
    "price_upper": 30.0,
    "query": "lamps",
    "name": "A Lamp",
    "product_category": "Home › Lamps",
}
INFO = {
    "r_type": 1.0,
    "r_att": 0.5,
    "r_option": 1.0,
    "r_price": True,
    "query_match": True,
    "category_match": False,
    "title_score": 0.25,
}
WORDS = ["red", "lamp"]
FOUND = {1: ["B01", "B02"], 2: ["B03"]}


def line(kind, tail="", goal=GOAL, **content):
    path = "s1" if kind == "index" else f"{kind}/s1/{tail}"
    data = {"page": kind, "url": f"http://shop/{path}", "goal": goal}
    return {**data, "content": content} if content else data


INDEX = line("index")


def results(number=1, words=WORDS, asins=None):
    asins = FOUND[number] if asins is None else asins
    return line("search_results", keywords=words, page=number, search_result_asins=asins)


def item(asin="B01", number=1, words=WORDS, **options):
    about = {"keywords": str(words), "page": str(number), "asin": asin, "options": options}
    return line("item_page", **about)


def sub_page(name, asin="B01", number=1, words=WORDS, **options):
    about = {"keywords": str(words), "page": str(number), "asin": asin, "options": options}
    return line("item_sub_page", f"{asin}/{quote(str(words))}/{number}/{name}/x", **about)


def done(asin="B01", reward=0.75, info=INFO, price=20.0, **options):
    data = line("done", asin=asin, options=options, price=price)
    return {**data, "reward": reward, "reward_info": info}


@pytest.fixture
def write(tmp_path):
    """Writes lines (objects, or text as it stands) to a file."""

    def write_lines(*lines, name="s1.jsonl"):
        path = tmp_path / name
        texts = [part if isinstance(part, str) else json.dumps(part) for part in lines]
        path.write_text("\n".join(texts) + "\n", encoding="utf-8")
        return path

    return write_lines


@pytest.fixture
def read(write):
    """Reads the given lines as the log of one session."""

    def read_lines(*lines):
        (episode,) = read_sessions(write(*lines))
        return episode

    return read_lines


def actions(episode):
    return [step.action for step in episode.steps]


class TestActions:
    def test_a_whole_purchase(self, read):
        episode = read(
            INDEX, results(), results(2), results(1), item(), sub_page("Features"), item(),
            item(color="red"), item(color="blue"), item(color="blue", size="l"),
            done(color="blue", size="l"),
        )  # fmt: skip
        assert actions(episode) == [
            "search[red lamp]", "click[next >]", "click[< prev]", "click[b01]",
            "click[features]", "click[< prev]", "click[red]", "click[blue]", "click[l]",
            "click[buy now]",
        ]  # fmt: skip
        assert episode.rewards == (0.0,) * 9 + (0.75,)
        assert episode.terminated and not episode.truncated and not episode.is_success
        assert episode.metadata["n_implied"] == episode.metadata["n_reloads"] == 0
        assert [step.page_type for step in episode.steps] == [
            "search", "results", "results", "results", "item", "description", "item", "item",
            "item", "item",
        ]  # fmt: skip

    def test_back_to_search_and_back_to_the_results(self, read):
        words = ["blue", "lamp"]
        episode = read(
            INDEX, results(), item(), results(), item("B02"), INDEX, results(words=words),
            results(words=["new"]),
        )  # fmt: skip
        assert actions(episode) == [
            "search[red lamp]", "click[b01]", "click[< prev]", "click[b02]",
            "click[back to search]", "search[blue lamp]", "search[new]",
        ]  # fmt: skip
        assert episode.truncated and not episode.terminated
        assert [step.truncated for step in episode.steps] == [False] * 6 + [True]

    def test_reloads_are_no_actions(self, read):
        episode = read(INDEX, INDEX, results(), results(), item(), item(), done(), done())
        assert actions(episode) == ["search[red lamp]", "click[b01]", "click[buy now]"]
        assert episode.metadata["n_reloads"] == 4

    @pytest.mark.parametrize(
        ("pages", "found"),
        [
            # Back twice in the browser: the results are not logged again.
            ([results(), item(), item("B02")], ["click[b01]", "click[< prev]", "click[b02]"]),
            ([results(), item(), sub_page("Reviews"), results()],
             ["click[b01]", "click[reviews]", "click[< prev]", "click[< prev]"]),
            ([results(), item(), sub_page("Reviews"), done()],
             ["click[b01]", "click[reviews]", "click[< prev]", "click[buy now]"]),
            # An option is dropped: only leaving the page clears it.
            ([results(), item(), item(a="x"), item()],
             ["click[b01]", "click[x]", "click[< prev]", "click[b01]"]),
            ([results(), item("B03", 2)], ["click[next >]", "click[b03]"]),
            ([results(2)], ["click[next >]"]),
        ],
    )  # fmt: skip
    def test_the_shortest_way_fills_a_gap(self, read, pages, found):
        episode = read(INDEX, *pages)
        assert actions(episode) == ["search[red lamp]", *found]
        assert episode.metadata["n_implied"] == len(found) + 1 - len(pages)

    def test_a_log_without_its_first_page_starts_at_the_search(self, read):
        assert actions(read(results(), item())) == ["search[red lamp]", "click[b01]"]

    def test_a_log_of_the_first_page_only_has_no_steps(self, read):
        episode = read(INDEX)
        assert episode.steps == () and "[Search]" in episode.final_observation

    def test_every_action_is_available(self, read):
        episode = read(
            INDEX, results(), item("B02"), sub_page("Attributes", "B02"), item("B02", c="red"),
            done("B02", c="red"),
        )  # fmt: skip
        for step in episode.steps[1:]:
            assert step.action in step.available_actions
        assert episode.steps[0].available_actions == ("search[<keywords>]", "click[search]")
        assert episode.steps[1].available_actions == (
            "click[back to search]", "click[next >]", "click[b01]", "click[b02]",
        )  # fmt: skip


class TestObservations:
    def test_pages_hold_what_the_log_holds(self, read):
        episode = read(INDEX, results(), results(2), item("B03", 2), item("B03", 2, c="red"))
        search, first, second, bare = (step.observation for step in episode.steps)
        text = "i want a soft red lamp"
        assert search == f"\nWebShop \nInstruction:  \n{text} \n[Search]"
        head = f"\nInstruction: \n{text} \n[Back to Search]"
        assert first == f"{head}\nPage 1 (Total results: 3) \n[Next >]\n[B01]\n[B02]"
        assert second == f"{head}\nPage 2 (Total results: 3) \n[< Prev]\n[Next >]\n[B03]"
        tail = "\nB03 \n[Description]\n[Features]\n[Reviews]\n[Buy Now]"
        assert bare == f"{head}\n[< Prev]{tail}"
        clicked = f"\nYou have clicked red.{head}\n[< Prev]\nc [[red]]{tail}"
        assert episode.final_observation == clicked
        assert episode.metadata["observations"] == "reconstructed"

    def test_a_sub_page_names_itself(self, read):
        episode = read(INDEX, results(), item(), sub_page("Description"))
        assert episode.final_observation.endswith("[< Prev]\nB01: Description ")

    def test_the_last_page_shows_purchase_and_score(self, read):
        episode = read(INDEX, results(), item(), item(c="red"), done(c="red", reward=1.0))
        assert '{"c": "red"}' in episode.final_observation
        assert "Your score (min 0.0, max 1.0) \n1.0" in episode.final_observation
        assert episode.is_success

    def test_episodes_can_be_stored_and_learnt_from(self, read):
        episode = read(INDEX, results(), item(), done())
        assert from_data(Episode, json.loads(json.dumps(to_data(episode)))) == episode
        memory = ExperienceMemory()
        learn_episode(memory, episode.task.text, episode.transitions())
        assert {v.q_value for record in memory for v in record.action_values} == {0.75}


class TestFiles:
    def test_files_folders_and_lists(self, write, tmp_path):
        one = write(INDEX, results(), name="b.jsonl")
        other = write(INDEX, name="a.jsonl")
        write("not a log", name="notes.txt")
        names = [e.metadata["source"] for e in read_sessions(tmp_path)]
        assert names == ["a.jsonl", "b.jsonl"]
        assert [e.task.number for e in read_sessions([one, other])] == [0, 1]

    def test_nothing_to_read(self, tmp_path):
        with pytest.raises(TranscriptError, match="no such file"):
            read_sessions(tmp_path / "absent.jsonl")
        with pytest.raises(TranscriptError, match="holds no session log"):
            read_sessions(tmp_path)
        with pytest.raises(TranscriptError, match="no session logs were given"):
            read_sessions([])

    def test_empty_and_binary_files(self, write, tmp_path):
        with pytest.raises(TranscriptError, match=r"s1\.jsonl: holds no page visits"):
            read_sessions(write("", " "))
        path = tmp_path / "x.jsonl"
        path.write_bytes(b"\xff\xfe\x00")
        with pytest.raises(TranscriptError, match="UTF-8"):
            read_sessions(path)


def without(data, name):
    return {key: value for key, value in data.items() if key != name}


def with_content(data, **changes):
    return {**data, "content": {**data["content"], **changes}}


class TestDamage:
    def test_no_one_walks_for_ever(self, write):
        there_and_back = [results(), results(1000, asins=["B04"])] * 2
        with pytest.raises(
            TranscriptError, match=r"line [34]: the session takes more than 1000 act"
        ):
            read_sessions(write(INDEX, *there_and_back))
        with pytest.raises(TranscriptError, match="holds more than 1000 page visits"):
            read_sessions(write(*[INDEX] * 1001))

    @pytest.mark.parametrize(
        ("bad", "problem"),
        [
            ('{"page": "index", "ur', "is not JSON"),
            ("[" * 100_000, "is not JSON"),
            ("[1]", "the line should be an object"),
            (without(INDEX, "page"), "lacks the field 'page'"),
            (without(INDEX, "url"), "lacks the field 'url'"),
            (without(INDEX, "goal"), "lacks the field 'goal'"),
            ({**INDEX, "goal": {}}, "lacks the field 'instruction_text'"),
            ({**INDEX, "page": "checkout"}, "'page' should be one of index"),
            ({**INDEX, "page": 3}, "'page' should be str, got 3"),
            (without(results(), "content"), "lacks the field 'content'"),
            (with_content(results(), page=0), "a page number from 1 to 1000, got 0"),
            (with_content(results(), page=10**6), "a page number from 1 to 1000"),
            (with_content(results(), page=True), "'page' should be int or str, got True"),
            (with_content(results(), keywords=[1]), "'keywords' should hold texts"),
            (with_content(results(), keywords=[]), "'keywords' should be a list of words"),
            (with_content(results(), search_result_asins="B01"), "should be list"),
            (with_content(item(), keywords="(" * 5000), "'keywords' should be a list"),
            (with_content(item(), keywords="__import__('os')"), "'keywords' should be a list"),
            (with_content(item(), options={"color": 3}), "'options' should hold texts"),
            (with_content(item(), asin=None), "'asin' should be str, got None"),
            (sub_page("Secrets"), "'url' should name one of Description"),
            (without(done(), "reward"), "lacks the field 'reward'"),
            (done(reward=1.5), "'reward' should lie in [0.0, 1.0], got 1.5"),
            (done(reward=float("nan")), "is not JSON: NaN is no finite number"),
            (done(price=float("inf")), "is not JSON: Infinity is no finite number"),
            ({**INDEX, "goal": {**GOAL, "price_upper": float("nan")}}, "NaN is no finite number"),
            ({**INDEX, "goal": {**GOAL, "price_upper": 10**400}}, "is no finite number"),
            ({**INDEX, "url": "http://[shop/s1"}, "'url' is none: Invalid IPv6 URL"),
            (with_content(item(), keywords="{[]: 1}"), "'keywords' should be a list"),
            (with_content(item(), keywords="['\\d']"), "'keywords' should be a list"),
            (with_content(item(), keywords=repr(["x"] * 5000)), "'keywords' should be a list"),
            (done(info={**INFO, "r_att": 1e300}), "'r_att' should lie in [0.0, 1.0]"),
            (done(info={**INFO, "title_score": -1}), "'title_score' should lie in [0.0, 1.0]"),
            (done(info={**INFO, "r_price": 1}), "'r_price' should be bool, got 1"),
            (done(price=-3), "'price' should lie in [0.0, inf], got -3.0"),
            (done(info=[]), "reward_info should be an object"),
            (done(info={**INFO, "r_type": "1"}), "'r_type' should be int or float, got '1'"),
        ],
    )
    def test_a_bad_line_is_named(self, write, bad, problem):
        with pytest.raises(TranscriptError) as caught:
            read_sessions(write(INDEX, results(), bad))
        assert str(caught.value).startswith(f"{caught.value.path}: line 3: ")
        assert problem in str(caught.value)

    @pytest.mark.parametrize(
        ("pages", "problem"),
        [
            ([results(), item("B09")], "line 3: product 'B09' is not among the logged results"),
            ([results(), done()], "line 3: the product 'B01' is bought without its page"),
            ([results(), item(), done("B02")], "line 4: the product 'B02' is bought without"),
            ([results(), item(), done(), INDEX], "line 5: goes on after the purchase"),
            ([line("index", goal={**GOAL, "price_upper": 9.0})], "line 2: is of another session"),
            ([{**INDEX, "url": "http://shop/s2"}], "line 2: is of another session or goal"),
        ],
    )
    def test_a_log_that_cannot_be_followed(self, write, pages, problem):
        with pytest.raises(TranscriptError) as caught:
            read_sessions(write(INDEX, *pages))
        assert problem in str(caught.value)

    @given(text=st.text(max_size=200))
    def test_no_line_crashes_the_reader(self, tmp_path_factory, text):
        path = tmp_path_factory.mktemp("log") / "s.jsonl"
        path.write_text(json.dumps(INDEX) + "\n" + text, encoding="utf-8", errors="replace")
        try:
            read_sessions(path)
        except TranscriptError as error:
            assert "s.jsonl" in str(error)

    @given(
        pages=st.lists(
            st.sampled_from(
                [INDEX, results(), results(2), item(), item("B02"), item("B03", 2),
                 item(c="x"), item(c="y", d="z"), item(d="z", c="y"), sub_page("Reviews", c="x"),
                 results(words=["other"], asins=["B01"])]
            ),
            max_size=12,
        )
    )  # fmt: skip
    def test_any_walk_is_followed_to_its_logged_pages(self, tmp_path_factory, pages):
        path = tmp_path_factory.mktemp("log") / "s.jsonl"
        path.write_text("\n".join(map(json.dumps, [INDEX, *pages])), encoding="utf-8")
        (episode,) = read_sessions(path)
        met = len(pages) - episode.metadata["n_reloads"] + episode.metadata["n_implied"]
        assert len(episode.steps) == met <= 6 * len(pages)


class TestRewards:
    def test_our_rule_on_a_logged_purchase(self, read):
        # (1 of 2 attributes + 1 of 1 option + price) / (2 + 1 + 1) = 0.75, times r_type 1.
        episode = read(INDEX, results(), item(), item(c="red"), done(c="red", reward=0.75))
        (check,) = check_rewards([episode])
        assert check.differing == () and check.n_listed is None
        assert check.ours == {"reward": 0.75, "r_type": 1.0, "r_option": 1.0, "r_price": 1.0}

    @pytest.mark.parametrize(
        ("info", "bought", "reward", "differing"),
        [
            ({}, {"c": "red"}, 0.5, ("reward",)),
            ({"r_type": 0.5}, {"c": "red"}, 0.75, ("r_type",)),
            ({"title_score": 0.05}, {"c": "red"}, 0.75, ("reward", "r_type")),
            ({"query_match": False, "title_score": 0.15}, {"c": "red"}, 0.75,
             ("reward", "r_type")),
            ({"query_match": False, "category_match": True, "title_score": 0.15}, {"c": "red"},
             0.75, ()),
            ({}, {"c": "blue"}, 0.5, ("r_option",)),
            ({"r_price": False}, {"c": "red"}, 0.75, ("r_price",)),
            ({"r_option": 0.0}, {"c": "dark blue"}, 0.5, ()),
        ],
    )  # fmt: skip
    def test_what_differs_is_named(self, read, info, bought, reward, differing):
        last = done(info={**INFO, **info}, reward=reward, **bought)
        (check,) = check_rewards([read(INDEX, results(), item(), item(**bought), last)])
        assert check.differing == differing

    def test_the_attribute_list_is_used_where_it_has_the_product(self, read, tmp_path):
        episode = read(INDEX, results(), item(), item(c="red"), done(c="red", reward=0.75))
        (check,) = check_rewards([episode], attributes={"B01": {"attributes": ["Dimmable!"]}})
        assert check.n_listed == 1 and check.ours["r_att"] == 0.5 and not check.differing
        # More than the log admits: our rule would have paid more.
        both = {"B01": {"attributes": ["soft", "dimmable"]}}
        (check,) = check_rewards([episode], attributes=both)
        assert check.differing == ("reward", "r_att")
        # Fewer: the other one may stand in the texts, which the log does not hold.
        (check,) = check_rewards([episode], attributes={"B01": {"attributes": []}})
        assert check.n_listed == 0 and not check.differing
        path = tmp_path / "attributes.json"
        path.write_text(json.dumps(both))
        assert check_rewards([episode], attributes=path)[0].n_listed == 2

    def test_synthetic_goals_want_pairs(self, write):
        goal = {**GOAL, "goal_options": {"color": "red", "size": "5 feet"}}
        bought = {"color": "bright red", "size": "5 feet"}
        pages = [INDEX, results(), item(), item(color="bright red"), item(**bought)]
        pages += [done(**bought)]
        (episode,) = read_sessions(write(*({**page, "goal": goal} for page in pages)))
        (check,) = check_rewards([episode])
        # "color red" is no colour word by itself, so "color red" is compared with "red".
        assert check.ours["r_option"] == 1.0

    def test_purchases_without_parts_are_left_out(self, read):
        episodes = [
            read(INDEX),
            read(INDEX, results(), item(), done(info=None)),
            read(INDEX, results(), item(), done(info=without(INFO, "title_score"))),
        ]
        assert check_rewards(episodes) == ()
        assert summarise_checks([]) == {
            "checked": 0, "agree": 0, "parts": {}, "with_attribute_list": 0,
        }  # fmt: skip

    @pytest.mark.parametrize(
        "wrong",
        [{"attributes": []}, {"attributes": "soft"}, {"goal_options": [1]}, {"price_upper": "9"}],
    )
    def test_a_goal_that_cannot_be_scored(self, write, wrong):
        pages = [INDEX, results(), item(), done()]
        goal = {**GOAL, **wrong}
        (episode,) = read_sessions(write(*({**page, "goal": goal} for page in pages)))
        problem = f"s1.jsonl: session_s1, goal: bad '{next(iter(wrong))}'"
        with pytest.raises(TranscriptError, match=problem):
            check_rewards([episode])

    def test_a_bad_attribute_file(self, read, tmp_path):
        episode = read(INDEX, results(), item(), done())
        with pytest.raises(TranscriptError, match="product B01"):
            check_rewards([episode], attributes={"B01": []})
        path = tmp_path / "a.json"
        path.write_text("[]")
        with pytest.raises(TranscriptError, match="an object by asin"):
            check_rewards([episode], attributes=path)
        path.write_text("{")
        with pytest.raises(CatalogueError, match="is not JSON"):
            check_rewards([episode], attributes=path)


@pytest.fixture(scope="module")
def folder(conformance_dir):
    folder = conformance_dir / "webshop_sessions"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    return folder


@pytest.fixture(scope="module")
def recorded(folder):
    return read_sessions(folder)


class TestRecordedSessions:
    def test_all_are_read(self, recorded, folder):
        counts = summarise(recorded)
        assert counts["episodes"] == counts["purchases"] == len(list(folder.glob("*.jsonl")))
        assert all(episode.terminated for episode in recorded)

    def test_every_logged_page_is_met_without_implied_actions(self, recorded, folder):
        for episode in recorded:
            n_lines = len((folder / episode.metadata["source"]).read_text().splitlines())
            assert len(episode.steps) == n_lines - 1 - episode.metadata["n_reloads"]
            assert episode.metadata["n_implied"] == 0

    def test_our_rewards_are_the_logged_ones(self, recorded, folder):
        checks = check_rewards(recorded, attributes=folder / "items_ins_v2_1000.json")
        print(summarise_checks(checks))
        assert len(checks) == len(recorded)
        assert [check.differing for check in checks] == [()] * len(checks)


class TestCommandLine:
    @pytest.fixture
    def run(self, capsys):
        def run_command(*arguments):
            status = main(["import", "sessions", *map(str, arguments)])
            return status, capsys.readouterr()

        return run_command

    def test_one_object_with_counts_and_checks(self, run, write, tmp_path):
        log = write(INDEX, results(), item(), item(c="red"), done(c="red", reward=0.75))
        memory = tmp_path / "m.sqlite"
        status, printed = run(log, log, "--memory", memory, "--json")
        result = json.loads(printed.out)
        assert status == 0 and result.pop("timing")
        assert result == {
            "episodes": 2, "mean_score": 0.75, "success_rate": 0.0, "purchases": 2,
            "transitions": 8, "records": 4,
            "skipped": 1, "note": "1 of 2 episodes were known: skipped",
            "reward_check": {
                "checked": 2, "agree": 2, "with_attribute_list": 0,
                "parts": {"reward": "2/2", "r_type": "2/2", "r_option": "2/2", "r_price": "2/2"},
            },
        }  # fmt: skip
        with ExperienceMemory.open(memory, must_exist=True) as learnt:
            assert len(learnt) == 4 and len(learnt.episodes()) == 1

    def test_a_folder_and_the_attribute_file(self, run, folder):
        attributes = folder / "items_ins_v2_1000.json"
        status, printed = run(folder, "--attributes", attributes, "--json")
        result = json.loads(printed.out)
        assert status == 0 and result["episodes"] == 9
        assert result["reward_check"]["agree"] == result["reward_check"]["checked"] == 9

    def test_errors_are_one_line(self, run, write):
        status, printed = run(write(INDEX, "{"))
        assert status == 1 and printed.out == ""
        assert printed.err.count("\n") == 1 and "s1.jsonl: line 2: is not JSON" in printed.err
