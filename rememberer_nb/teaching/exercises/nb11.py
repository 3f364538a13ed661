"""Checks for notebook 11."""

from rememberer_nb.teaching.exercises import one_letter

CHECKS = {
    "11.1": one_letter(
        "b",
        {
            "a": "it is the mean score of other tasks: no word of the held-out ones goes into it",
            "c": "draw the parts anew with other seeds and look on which side of one half it falls",
        },
    )
}
