"""What the stand-in believes of the shop before it has seen any advice: two tables.

A number is a believed final score in full marks (1 = everything fits); beside each stands why.
They were settled by plain reasoning, before any run on a test task of the present catalogue. Looks
at runs on development tasks led to three repairs: `able` no longer turns pages without end (two
numbers of its "next"), a poor page of results no longer speaks for the page before it, more words
are filler. An earlier `novice` was not eager to buy; when that was mended, the bundled catalogue
was drawn anew, so that its test tasks were new to the table.

`novice` shops in a hurry: types the wish as it stands, takes the first in the list, buys at once.
`able` reads options and prices better, and looks on when a page is poor; it still errs.
"""

from __future__ import annotations

from rememberer_nb.llms.offline.beliefs import Kind, Number, Table

NOVICE: Table = {
    "search": Kind(
        Number(0.30, "one has to begin somewhere"),
        coverage=Number(0.10, "it says what is wanted"),
        filler=Number(0.15, "a whole sentence says it best"),
        brevity=Number(0.00, "short or long makes no difference"),
        core=Number(0.05, "it names the thing itself"),
        repeated=Number(-0.15, "the same words find the same things"),
    ),
    "product": Kind(
        Number(0.25, "any product may do"),
        fit=Number(0.20, "the title has the words of the task"),
        core=Number(0.10, "it is the right kind of thing"),
        first=Number(0.12, "what stands first will be best"),
        price=Number(0.05, "the price is fine"),
        visited=Number(-0.15, "it was looked at already"),
    ),
    "option": Kind(
        Number(0.35, "options are there to be chosen"),
        named=Number(0.20, "the task names this option"),
        best=Number(0.05, "it is the nearest to the task"),
        settled=Number(-0.20, "this choice is made already"),
        clicked=Number(-0.20, "it is chosen already"),
        first=Number(0.05, "the first one is the usual one"),
    ),
    "buy": Kind(
        Number(0.40, "better to buy than to search on"),
        fit=Number(0.20, "the title has the words of the task"),
        core=Number(0.10, "it is the right kind of thing"),
        price=Number(0.05, "the price is fine"),
        have=Number(0.05, "the wanted options are chosen"),
    ),
    "tab": Kind(
        Number(0.30, "there may be more to read"),
        poor=Number(0.10, "the title leaves doubts"),
        read=Number(-0.20, "it was read already"),
    ),
    "prev": Kind(
        Number(0.20, "going back costs time"),
        poor=Number(0.30, "this does not look right"),
        dear=Number(0.05, "this is too dear"),
        reading=Number(0.40, "nothing can be bought on this page"),
        empty=Number(0.30, "there is nothing here"),
    ),
    "next": Kind(
        Number(0.20, "the best stands on the first page"),
        poor=Number(0.25, "nothing here looks right"),
        dear=Number(0.05, "all of this is too dear"),
        deep=Number(-0.15, "the hits get worse from page to page"),
        empty=Number(-0.30, "after an empty page comes another"),
    ),
    "back": Kind(
        Number(0.15, "searching again costs time"),
        poor=Number(0.20, "other words may find better"),
        dear=Number(0.00, "other words do not find lower prices"),
        empty=Number(0.35, "these words find nothing"),
        tried=Number(-0.15, "starting over did not help before"),
    ),
}

ABLE: Table = {
    **NOVICE,
    "search": NOVICE["search"].but(
        coverage=Number(0.15, "it says all that is wanted"),
        filler=Number(-0.05, "a search engine wants keywords"),
        core=Number(0.10, "it names the thing itself"),
    ),
    "product": NOVICE["product"].but(
        bias=Number(0.20, "most products are the wrong one"),
        fit=Number(0.25, "the title has the words of the task"),
        core=Number(0.15, "it is the right kind of thing"),
        first=Number(0.04, "the order says a little"),
        price=Number(0.15, "the price is within the limit"),
    ),
    "option": NOVICE["option"].but(
        named=Number(0.30, "the task names this option"),
        best=Number(0.15, "it is the nearest to the task"),
        settled=Number(-0.30, "this choice is made already"),
        clicked=Number(-0.30, "it is chosen already"),
        first=Number(0.00, "the order of options means nothing"),
    ),
    "buy": NOVICE["buy"].but(
        bias=Number(0.05, "buying ends it, so look first"),
        core=Number(0.15, "it is the right kind of thing"),
        price=Number(0.15, "the price is within the limit"),
        have=Number(0.40, "the wanted options are chosen"),
    ),
    "prev": NOVICE["prev"].but(
        poor=Number(0.45, "another product may fit better"),
        dear=Number(0.15, "this is too dear"),
    ),
    "next": NOVICE["next"].but(
        poor=Number(0.30, "nothing here looks right"),
        dear=Number(0.10, "all of this is too dear"),
        deep=Number(-0.30, "the hits get worse from page to page"),
    ),
    "back": NOVICE["back"].but(
        poor=Number(0.30, "other words may find better"),
    ),
}

TABLES = {"novice": NOVICE, "able": ABLE}
