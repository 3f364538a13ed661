"""The offline stand-in for the LLM: decides by stated beliefs, from the prompt's text alone.

::

    prompt.text ──parse──► exemplars and the present situation
                              │  (webshop, wikihow: what is on the page, what could be done)
                              ▼
    belief = prior, pulled to the values of like actions in like situations ──► softmax ──► one draw

It is no language model and claims no skill of one. It stands where an LLM would, so that the loop
around it can be run, taught and tested without a key: it reads advice in the prompt the way the
method hopes that an LLM does, and it errs in plainly human ways when there is none.
"""

from rememberer_nb.llms.offline.beliefs import Contribution, Likeness, Row
from rememberer_nb.llms.offline.llm import Deliberation, OfflineLLM

__all__ = ["Contribution", "Deliberation", "Likeness", "OfflineLLM", "Row"]
