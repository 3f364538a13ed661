"""What the stand-in believes of the how-to site before it has seen any advice: two tables.

As for the shop (`webshop_tables`): a believed final score in full marks, and why; settled by plain
reasoning before any run on a test task.
"""

from __future__ import annotations

from rememberer_nb.llms.offline.beliefs import Kind, Number, Table

NOVICE: Table = {
    "input": Kind(
        Number(0.10, "one can always search"),
        coverage=Number(0.20, "it says what is wanted"),
        filler=Number(0.05, "a whole sentence says it best"),
        asked=Number(0.35, "a search is asked for"),
        typed=Number(-0.30, "these words stand in the field already"),
        done=Number(-0.20, "this was typed already"),
    ),
    "link": Kind(
        Number(0.15, "a link may lead on"),
        match=Number(0.20, "it has the words of the instruction"),
        precise=Number(0.10, "it has few other words"),
        quoted=Number(0.20, "the instruction quotes this title"),
        first=Number(0.10, "what stands first will be best"),
        done=Number(-0.15, "it was pressed already"),
    ),
    "button": Kind(
        Number(0.15, "a button may lead on"),
        match=Number(0.25, "it is called what is wanted"),
        precise=Number(0.05, "it is for that alone"),
        done=Number(-0.15, "it was pressed already"),
    ),
    "scroll": Kind(
        Number(0.20, "there may be more below"),
        poor=Number(0.25, "what is wanted is not in sight"),
        down=Number(0.10, "pages are read downwards"),
        asked=Number(-0.15, "a search is asked for"),
        done=Number(-0.05, "scrolling has not helped so far"),
    ),
    "goback": Kind(
        Number(0.15, "going back costs time"),
        poor=Number(0.10, "what is wanted is not here"),
        asked=Number(-0.05, "a search needs no way back"),
        done=Number(-0.10, "going back did not help before"),
    ),
}

ABLE: Table = {
    **NOVICE,
    "input": NOVICE["input"].but(filler=Number(-0.10, "a search engine wants keywords")),
    "link": NOVICE["link"].but(
        match=Number(0.30, "it has the words of the instruction"),
        first=Number(0.03, "the order says a little"),
        done=Number(-0.25, "it was pressed already"),
    ),
    "scroll": NOVICE["scroll"].but(done=Number(-0.10, "scrolling has not helped so far")),
}

TABLES = {"novice": NOVICE, "able": ABLE}
