"""What stands on the pages."""

from __future__ import annotations

import pytest

from rememberer_nb.envs.wikihow.env import WikiHowEnv
from rememberer_nb.envs.wikihow.screens import Page, Place


@pytest.fixture(scope="module")
def engine():
    return WikiHowEnv().engine


def targets(page: Page, view: int = 0) -> dict[str, Place | None]:
    """Text or attributes of each pressable line -> where it leads."""
    screen = page.screens[view]
    lines = screen.text.split("\n")
    return {
        lines[i].partition(">")[2].partition("<")[0] or lines[i]: target
        for i, target in screen.targets.items()
    }


def test_an_article_names_its_trust_categories_authors_and_references(engine) -> None:
    site = engine.site
    for number, article in enumerate(site.articles):
        found = targets(engine.pages.page(Place("article", number)))
        topic = site.categories[article.topic]
        assert found["trust Howbarn"] == Place("about")
        assert found["Learn why people "] is None
        assert found[topic.name.upper()] == Place("category", article.topic)
        assert found[site.categories[topic.parent].name.upper()] == Place("category", topic.parent)
        for author in article.authors:
            assert found[site.authors[author].name] == Place("author", author)
        assert found["References"] == Place("references", number)
        assert found[article.title] == Place("article", number)


def test_an_article_ends_with_related_articles_and_references(engine) -> None:
    site = engine.site
    for number, article in enumerate(site.articles[:60]):
        page = engine.pages.page(Place("article", number))
        links = {t for screen in page.screens for t in screen.targets.values()}
        assert {Place("article", other) for other in article.related} <= links
        at = page.screen_of("references")
        assert at >= 3
        text = "\n".join(screen.text for screen in page.screens[at:])
        assert all(reference.replace("&", "&amp;") in text for reference in article.references)


def test_an_author_s_page_lists_all_articles(engine) -> None:
    for number in range(len(engine.site.authors)):
        page = engine.pages.page(Place("author", number))
        written = engine.site.of_author(number)
        links = {t for screen in page.screens for t in screen.targets.values()}
        assert {Place("article", article) for article in written} <= links
        assert f"Co-authored Articles ({len(written)})" in page.screens[0].text


def test_a_category_lists_topics_and_articles_and_leads_up(engine) -> None:
    site = engine.site
    for number, category in enumerate(site.categories):
        page = engine.pages.page(Place("category", number))
        links = {t for screen in page.screens for t in screen.targets.values()}
        assert {Place("article", article) for article in site.of_category(number)} <= links
        up = targets(page)["&lt;"]
        if category.parent is None:
            assert {Place("category", topic) for topic in site.topics(number)} <= links
            assert up == Place("menu")
            assert len(page.screens[0].fields) == 2
        else:
            assert up == Place("category", category.parent)


def test_all_pieces_of_a_hit_lead_to_the_article(engine) -> None:
    page = engine.pages.page(Place("results", "bake rye bread"))
    wanted = Place("article", min(page.hits))
    number = min(page.hits)
    pieces = [t for screen in page.screens for t in screen.targets.values() if t == wanted]
    assert len(pieces) >= 6
    assert engine.site.articles[number].title in "".join(s.text for s in page.screens)


def test_a_search_without_hits_says_so(engine) -> None:
    page = engine.pages.page(Place("results", "zzz"))
    assert page.hits == frozenset()
    assert "has no article with these words" in page.screens[0].text


def test_plain_pages_are_built_once(engine) -> None:
    assert engine.pages.page(Place("about")) is engine.pages.page(Place("about"))
    assert engine.pages.page(Place("references", 3)) is engine.pages.page(Place("article", 3))
