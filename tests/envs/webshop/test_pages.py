"""Pages in three formats."""

from __future__ import annotations

from rememberer_nb.envs.webshop import pages
from rememberer_nb.envs.webshop.catalogue import Product

LAMP = Product(
    "B1",
    "Red Lamp",
    "It shines. ",
    ("Bright.",),
    (("size", ("small", "large")), ("colour", ("red",))),
)


def test_webshop_search_page() -> None:
    page = pages.search_page("a lamp")
    assert pages.format_rich(page) == "WebShop\nInstruction: \na lamp\n[button] Search [button_]\n"
    assert pages.format_simplified(page) == "\nWebShop \nInstruction:  \na lamp \n[Search]"


def test_webshop_results_page_marks_visited_products() -> None:
    page = pages.results_page("a lamp", [LAMP], {"B1"}, 2, 11)
    assert pages.format_text(page) == (
        "Instruction: [SEP] a lamp [SEP] Back to Search [SEP] Page 2 (Total results: 11) [SEP] "
        "< Prev [SEP] Next > [SEP] B1 [SEP] Red Lamp [SEP] $100.0"
    )
    assert "\n\n[clicked button] B1 [clicked button_]\nRed Lamp\n$100.0\n" in pages.format_rich(
        page
    )
    assert pages.format_simplified(page).endswith("\n[[B1]]\nRed Lamp \n$100.0 ")
    assert pages.clickables(page) == ("back to search", "< prev", "next >", "b1")


def test_webshop_first_results_page_has_no_prev() -> None:
    page = pages.results_page("a lamp", [], set(), 1, 0)
    assert pages.clickables(page) == ("back to search", "next >")


def test_webshop_clicked_options_stand_first_in_reverse_order() -> None:
    page = pages.item_page("a lamp", LAMP, '/{"colour": "red", "size": "large"}')
    assert pages.format_simplified(page) == (
        "\nYou have clicked red.\nYou have clicked large.\nInstruction: \na lamp "
        "\n[Back to Search]\n[< Prev]\nsize [small][[large]]\ncolour [[red]]\nRed Lamp "
        "\nPrice: $100.0 \nRating: N.A. \n[Description]\n[Features]\n[Reviews]\n[Buy Now]"
    )
    assert pages.format_rich(page).startswith(
        "You have clicked red.\nYou have clicked large.\nInstruction:\n"
    )


def test_webshop_a_shared_page_is_not_changed_by_clicks() -> None:
    before = pages.format_simplified(pages.item_page("a", LAMP, ""))
    pages.item_page("a", LAMP, '"small"')
    assert pages.format_simplified(pages.item_page("a", LAMP, "")) == before


def test_webshop_sub_pages() -> None:
    shown = [pages.sub_page("a", LAMP, name)[4:] for name in pages.SUB_PAGES]
    assert shown == [
        [(pages.TEXT, "It shines. ")],
        [(pages.TEXT, " Bright.")],
        [],
    ]
    assert pages.sub_page("a", Product("B2", "Bare"), "Description")[4:] == []


def test_webshop_done_page_shows_options_as_json() -> None:
    page = pages.done_page("B1", {"size": '12"', "a": "café & <b>'s"}, 0.1)
    text = pages.format_text(page)
    assert '{"a": "caf\\u00e9 \\u0026 \\u003cb\\u003e\\u0027s", "size": "12\\""}' in text
    assert text.endswith("[SEP] 0.1 [SEP] Reward Details [SEP] None")
    assert pages.clickables(page) == ()


def test_webshop_equal_labels_are_listed_once() -> None:
    twice = Product("B3", "T", options=(("a", ("red", "buy now")), ("b", ("red", "blue"))))
    assert pages.clickables(pages.item_page("", twice, "")) == (
        "back to search", "< prev", "description", "features", "reviews", "buy now", "red", "blue",
    )  # fmt: skip
