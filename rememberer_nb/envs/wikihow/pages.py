"""The pages of the site as elements, styled like the screens of the published memories.

As on the real app, much is marked clickable that does nothing when pressed: only the words "trust
..." of the line "Learn why people trust ..." are a link, for one. All pieces of a search hit or of
an article's card lead to the article.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rememberer_nb.envs.wikihow.screens import Page, Place, ScreenElement, escape, lay_out
from rememberer_nb.envs.wikihow.search import SearchIndex
from rememberer_nb.envs.wikihow.site import Article, Site

REFERENCES = "references"
_THIS_YEAR = 2024
_EXCERPT = 150
_MENU = Place("menu")

_DRAWER = ScreenElement("button", "", 'alt="Open navigation drawer"', True, _MENU)
_SEARCH = ScreenElement(
    "img", "", 'class="search button" alt="Search"', True, Place("search"), is_field=True
)
_TOP = (_DRAWER, _SEARCH)
_OPTIONS = ScreenElement("img", "", 'alt="More options"', True)


def _plain(text: str, tag: str = "div", height: int = 0, anchor: str = "") -> ScreenElement:
    return ScreenElement(tag, text, height=height, anchor=anchor)


def _inert(text: str, tag: str = "p", attributes: str = "", height: int = 0) -> ScreenElement:
    return ScreenElement(tag, text, attributes, True, height=height)


def _link(text: str, target: Place, tag: str = "p", height: int = 0) -> ScreenElement:
    return ScreenElement(tag, text, "", True, target, height=height)


def _image(name: str, target: Place | None = None, height: int = 180) -> ScreenElement:
    label = f'alt="{escape(name)}"'
    return ScreenElement("img", "", label, target is not None, target, height=height)


def _file_name(article: Article, step: int) -> str:
    return f"{article.short_title.replace(' ', '-')}-Step-{step}.jpg"


class PageBuilder:
    """Builds any page of a site; pages without a query are built once.

    >>> from rememberer_nb.envs.wikihow.env import WikiHowEnv
    >>> page = WikiHowEnv().engine.pages.page(Place("start"))
    >>> print(page.screens[0].text)
    <button alt="Open navigation drawer" id="0" clickable="true"></button>
    <img class="wikihow toolbar logo" id="1" clickable="false">
    <img class="search button" alt="Search" id="2" clickable="true">
    <div class="webView" id="3" clickable="true"></div>
    <div class="statusBarBackground" id="4" clickable="false"></div>
    """

    def __init__(self, site: Site):
        self.site = site
        self.index = SearchIndex(site.articles)
        self._built: dict[Place, Page] = {}
        self._hit_elements: dict[int, tuple[ScreenElement, ...]] = {}

    def page(self, place: Place) -> Page:
        """The page at a place."""
        if place.kind == "results":
            return self._results(place)
        if place.kind == REFERENCES:
            place = Place("article", place.key)
        page = self._built.get(place)
        if page is None:
            page = self._built[place] = getattr(self, f"_{place.kind}")(place)
        return page

    def _start(self, place: Place) -> Page:
        logo = ScreenElement("img", "", 'class="wikihow toolbar logo"')
        web_view = _inert("", "div", 'class="webView"')
        return lay_out(place, (_DRAWER, logo, _SEARCH), (web_view,))

    def _search(self, place: Place) -> Page:
        return lay_out(place, _field(""), ())

    def _results(self, place: Place) -> Page:
        hits = self.index.find(str(place.key))
        body: list[ScreenElement] = []
        for number in hits:
            if number not in self._hit_elements:
                self._hit_elements[number] = tuple(self._hit(number))
            body += self._hit_elements[number]
        none = [_plain(f"{self.site.name} has no article with these words.")]
        return lay_out(place, _field(f"{place.key} "), body or none, hits=frozenset(hits))

    def _hit(self, number: int) -> Iterable[ScreenElement]:
        # Titles and the row below take 90 pixels: seven hits to a screen, as on the real app.
        article, target = self.site.articles[number], Place("article", number)
        years = _THIS_YEAR - int(article.updated.rsplit(" ", 1)[-1])
        row = ["• ", f"{article.views:,} views", "• ", "Updated", _ago(years)]
        row += ["• ", "Expert Co-Authored"] if article.badge == "Expert" else []
        yield _link(article.title, target, "div", 60)
        for text in row:
            yield _link(text, target, "div" if text == "• " else "p", 4)

    def _article(self, place: Place) -> Page:
        number = int(place.key)
        article = self.site.articles[number]
        body = [*self._head(number, article), _plain(article.intro), *self._steps(article)]
        for title, lines in (("Tips", article.tips), ("Warnings", article.warnings)):
            body += [_plain(line) for line in ((title, *lines) if lines else ())]
        body.append(_plain("Related Articles"))
        for other in article.related:
            body += self._card(other, "p")
        body.append(_plain("References", anchor=REFERENCES))
        for line in article.references:
            body += [_inert("↑", height=8), _plain(line)]
        body += self._foot(article)
        return lay_out(place, (*_TOP, _OPTIONS), body)

    def _head(self, number: int, article: Article) -> Iterable[ScreenElement]:
        """What stands above the text: trust, categories, title, authors, date, references."""
        parent = self.site.categories[article.topic].parent
        crumbs = [article.topic] if parent is None else [parent, article.topic]
        yield _inert("Learn why people ", height=4)
        yield _link(f"trust {self.site.name}", Place("about"), height=24)
        for i, category in enumerate(crumbs):
            if i:
                yield _plain(" »", "p", 4)
            name = self.site.categories[category].name.upper()
            yield _link(name, Place("category", category), height=20)
        yield _link(article.title, Place("article", number), height=60)
        yield _plain("Co-authored by", "p", 4)
        yield _plain(" ", "p", 4)
        for i, author in enumerate(article.authors):
            if i:
                yield _plain(" and ", "p", 4)
            yield _link(self.site.authors[author].name, Place("author", author), height=20)
        yield _inert(f"Last Updated: {article.updated}", "button", height=24)
        if article.references:
            yield _link("References", Place(REFERENCES, number), height=20)
        if article.badge in ("Approved", "Tested"):
            yield _plain(" ", "p", 4)
            yield _inert(article.badge, "button", height=20)

    def _steps(self, article: Article) -> Iterable[ScreenElement]:
        n_parts, step = len(article.parts), 0
        for i, part in enumerate(article.parts, start=1):
            yield _plain(f"Part {i} of {n_parts}: {part.title}")
            for j, text in enumerate(part.steps, start=1):
                step += 1
                yield _plain(str(j), height=8)
                yield _plain(text)
                yield _image(_file_name(article, step))

    def _foot(self, article: Article) -> Iterable[ScreenElement]:
        yield _plain("About This Article")
        for author in article.authors:
            yield _link(self.site.authors[author].name, Place("author", author))
        yield _plain(f"This article has been read {article.views:,} times.")

    def _card(self, number: int, tag: str) -> Iterable[ScreenElement]:
        article, target = self.site.articles[number], Place("article", number)
        yield _image(_file_name(article, 1), target, 90)
        yield _link("How to", target, tag, 20)
        yield _link(article.short_title, target, "div")
        if article.badge == "Expert":
            yield _link("Expert", target, "div", 12)

    def _author(self, place: Place) -> Page:
        author = self.site.authors[int(place.key)]
        written, name = self.site.of_author(int(place.key)), self.site.name
        body = [
            _image(author.name),
            _inert("Website", height=20),
            _inert("+ Follow", height=20),
            *map(_plain, (author.name, author.job, author.bio, "")),
            _plain(f"{name}'s Editorial Process", "p"),
            _plain(
                f"Each article on {name} is tried out by a second author before it appears.", "p"
            ),
            _link(f"Learn how we work and why people trust {name}.", Place("about")),
            _plain(f"Co-authored Articles ({len(written)})"),
        ]
        for number in written:
            article, target = self.site.articles[number], Place("article", number)
            for text in ("How to", article.short_title, f"{article.intro[:_EXCERPT]}..."):
                body.append(_link(text, target, "div"))
        header = ScreenElement("div", "", 'class="header container"')
        return lay_out(place, _TOP, body, later_header=(*_TOP, header))

    def _category(self, place: Place) -> Page:
        number = int(place.key)
        category = self.site.categories[number]
        header = _inert("", "div", 'class="header container"')
        written = self.site.of_category(number)
        if category.parent is None:
            top = _banner(category.name)
            back = _link("<", _MENU, height=20)
        else:
            top = (header, *_bars("header top watch", "siteNotice"))
            back = _link("<", Place("category", category.parent), height=20)
        body = [back, *self._category_intro(category.name, written)]
        topics = self.site.topics(number)
        body += [_inert("Featured Topics", "div")] if topics else []
        for topic in topics:
            name, target = self.site.categories[topic].name, Place("category", topic)
            body += [
                _image(f"{name.replace(' ', '-')}.jpg", target, 90),
                _link(name, target, "div"),
            ]
        body.append(_inert(f"Articles about {category.name}", "div"))
        for article in written:
            body += self._card(article, "p")
        return lay_out(place, (*_TOP, *top), body, later_header=(*_TOP, header))

    def _category_intro(self, name: str, written: Sequence[int]) -> Iterable[ScreenElement]:
        yield _inert("", "div", height=4)
        yield _inert(name, "div")
        yield _inert(f"Everything that {self.site.name} knows about {name}. Begin with ")
        for i, number in enumerate(written[:3]):
            if i:
                yield _inert(", ", height=4)
            yield _link(self.site.articles[number].title, Place("article", number))
        yield _inert(", or look through the whole list.")

    def _about(self, place: Place) -> Page:
        title = _plain(f"Why People Trust {self.site.name}")
        bar = _bars("about header")
        return lay_out(place, (*_TOP, *bar), (title, *map(_plain, self.site.about)))

    def _menu(self, place: Place) -> Page:
        bar = _bars("navigation drawer")
        body = [_link("Home", Place("start")), _link(f"About {self.site.name}", Place("about"))]
        body.append(_plain("Categories"))
        for number, category in enumerate(self.site.categories):
            if category.parent is None:
                body.append(_link(category.name, Place("category", number)))
        return lay_out(place, (*_TOP, *bar), body)


def _bars(*classes: str) -> tuple[ScreenElement, ...]:
    return tuple(_inert("", "div", f'class="{name}"') for name in classes)


def _banner(name: str) -> tuple[ScreenElement, ...]:
    kind = "category banner"
    return (
        _inert(name, "div", f'class="{kind} title"'),
        ScreenElement("input", "", f'class="{kind} search input" type="text"', True, is_field=True),
        _inert("", "button", f'class="{kind} submit"'),
    )


def _field(value: str) -> tuple[ScreenElement, ...]:
    """The header of a search: menu, field with its value, and the cross that clears it."""
    attributes = f'class="search src text" value="{escape(value)}" type="text"'
    cross = 'class="search close btn" alt="Clear query"'
    return (
        _DRAWER,
        ScreenElement("input", "", attributes, True, is_field=True),
        ScreenElement("img", "", cross, True, Place("search")),
    )


def _ago(years: int) -> str:
    return "1 year ago" if years == 1 else f"{years} years ago"
