"""The how-to site's content: categories, authors, articles; read from one JSON file.

Everything is addressed by number (position in its list): links between pages cost nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rememberer_nb.errors import DataError, shown
from rememberer_nb.system.files import read_json
from rememberer_nb.system.resources import cached_by_files

FORMAT = "rememberer_nb/how-to-site"
VERSION = 1
_PREFIX = "How to "


@dataclass(frozen=True, slots=True)
class Category:
    """A category (`parent` None) or one of its topics (`parent`: the category's number)."""

    name: str
    parent: int | None


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes: name with credentials, job, a few sentences."""

    name: str
    job: str
    bio: str


@dataclass(frozen=True, slots=True)
class ArticlePart:
    """A part of an article and its steps."""

    title: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Article:
    """An article; `topic`, `authors` and `related` are numbers."""

    title: str
    topic: int
    authors: tuple[int, ...]
    updated: str
    views: int
    badge: str
    intro: str
    parts: tuple[ArticlePart, ...]
    tips: tuple[str, ...]
    warnings: tuple[str, ...]
    related: tuple[int, ...]
    references: tuple[str, ...]

    @property
    def short_title(self) -> str:
        """The title without "How to"."""
        return self.title.removeprefix(_PREFIX)


class Site:
    """The whole content, and who belongs to what.

    Parameters
    ----------
    name : as the pages call the site.
    about : paragraphs of the about page.
    categories, authors, articles : in the file's order.
    """

    def __init__(
        self,
        name: str,
        about: Sequence[str],
        categories: Sequence[Category],
        authors: Sequence[Author],
        articles: Sequence[Article],
    ):
        self.name = name
        self.about = tuple(about)
        self.categories = tuple(categories)
        self.authors = tuple(authors)
        self.articles = tuple(articles)
        self.article_numbers = {article.title: i for i, article in enumerate(articles)}
        self.author_numbers = {author.name: i for i, author in enumerate(authors)}
        self.category_numbers = {category.name: i for i, category in enumerate(categories)}

    def of_author(self, author: int) -> tuple[int, ...]:
        """The articles of an author, the most read first."""
        return self._most_read(i for i, a in enumerate(self.articles) if author in a.authors)

    def of_category(self, category: int) -> tuple[int, ...]:
        """The articles of a topic, or of all topics of a category, the most read first."""
        topics = {category, *self.topics(category)}
        return self._most_read(i for i, a in enumerate(self.articles) if a.topic in topics)

    def topics(self, category: int) -> tuple[int, ...]:
        """The topics of a category."""
        return tuple(i for i, c in enumerate(self.categories) if c.parent == category)

    def _most_read(self, numbers: Any) -> tuple[int, ...]:
        return tuple(sorted(numbers, key=lambda i: (-self.articles[i].views, i)))


def check_format(content: Any, expected: str, path: Path) -> Mapping[str, Any]:
    """The content if it says that it is of the expected format, else a `DataError`."""
    if not isinstance(content, dict) or content.get("format") != expected:
        raise DataError(f"expected format {expected!r}", path=path)
    if content.get("version") != VERSION:
        found = content.get("version")
        raise DataError(
            f"has version {shown(found)}, expected {VERSION}", path=path, field="version"
        )
    return content


@cached_by_files(4, lambda path: [path])
def load_site(path: Path) -> Site:
    """The site of a file; read once per process and shared, until the file changes.

    Raises
    ------
    DataError
        The file is missing or damaged, or a link leads nowhere; names the file and the row.
    """
    content = check_format(read_json(path), FORMAT, path)
    reader = _Reader(path)
    names = [
        reader.text(row, "name", "categories", i) for i, row in reader.rows(content, "categories")
    ]
    categories = [
        Category(
            name,
            None
            if row.get("parent") is None
            else reader.find(names, row["parent"], "categories", i),
        )
        for (i, row), name in zip(reader.rows(content, "categories"), names, strict=True)
    ]
    authors = [
        Author(*(reader.text(row, key, "authors", i) for key in ("name", "job", "bio")))
        for i, row in reader.rows(content, "authors")
    ]
    rows = reader.rows(content, "articles")
    titles = [reader.text(row, "title", "articles", i) for i, row in rows]
    signers = [author.name for author in authors]
    articles = [reader.article(row, i, names, signers, titles) for i, row in rows]
    for kind, labels in (("categories", names), ("authors", signers), ("articles", titles)):
        reader.check_unique(labels, kind)
    about = reader.texts(content, "about", "about", None)
    return Site(reader.text(content, "name", "name", None), about, categories, authors, articles)


class _Reader:
    """Checked access to the rows of a file; every complaint names the row."""

    def __init__(self, path: Path):
        self.path = path

    def fail(self, problem: str, kind: str, i: int | None) -> DataError:
        return DataError(problem, path=self.path, field=kind if i is None else f"{kind}[{i}]")

    def rows(self, content: Mapping[str, Any], kind: str) -> list[tuple[int, Mapping[str, Any]]]:
        rows = content.get(kind)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self.fail("expected a list of objects", kind, None)
        return list(enumerate(rows))

    def text(self, row: Mapping[str, Any], key: str, kind: str, i: int | None) -> str:
        value = row.get(key)
        if not isinstance(value, str) or "\n" in value:
            raise self.fail(
                f"expected {key!r} to be one line of text, found {shown(value)}", kind, i
            )
        return value

    def texts(self, row: Mapping[str, Any], key: str, kind: str, i: int | None) -> tuple[str, ...]:
        values = row.get(key)
        if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
            raise self.fail(
                f"expected {key!r} to be a list of texts, found {shown(values)}", kind, i
            )
        return tuple(" ".join(value.split()) for value in values)

    def find(self, names: list[str], name: Any, kind: str, i: int) -> int:
        if name not in names:
            raise self.fail(f"refers to {shown(name)}, which is not on the site", kind, i)
        return names.index(name)

    def check_unique(self, labels: list[str], kind: str) -> None:
        seen: set[str] = set()
        for i, label in enumerate(labels):
            if label in seen:
                raise self.fail(f"{shown(label)} occurs twice", kind, i)
            seen.add(label)

    def article(
        self,
        row: Mapping[str, Any],
        i: int,
        topics: list[str],
        signers: list[str],
        titles: list[str],
    ) -> Article:
        kind = "articles"
        views = row.get("views")
        if not isinstance(views, int) or views < 1:
            raise self.fail(
                f"expected 'views' to be a whole number above 0, found {shown(views)}", kind, i
            )
        signed = self.texts(row, "authors", kind, i)
        if not signed:
            raise self.fail("has no author", kind, i)
        return Article(
            title=titles[i],
            topic=self.find(topics, row.get("category"), kind, i),
            authors=tuple(self.find(signers, name, kind, i) for name in signed),
            updated=self.text(row, "updated", kind, i),
            views=views,
            badge=self.text(row, "badge", kind, i),
            intro=self.text(row, "intro", kind, i),
            parts=tuple(
                ArticlePart(self.text(part, "title", kind, i), self.texts(part, "steps", kind, i))
                for _, part in self.rows(row, "parts")
            ),
            tips=self.texts(row, "tips", kind, i),
            warnings=self.texts(row, "warnings", kind, i),
            related=tuple(
                self.find(titles, title, kind, i) for title in self.texts(row, "related", kind, i)
            ),
            references=self.texts(row, "references", kind, i),
        )
