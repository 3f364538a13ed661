"""Does a part keep what its protocol promises, and how fast is it?

For a part of your own, one line in a test of your own::

    from rememberer_nb.testing import check_agent, check_env, check_llm, check_similarity

    check_similarity(MySimilarity)

Each takes a function that makes a new part, runs checks by name, and returns their names; the first
promise that is broken raises a `CheckError`: which check, what was expected, what was found.
"""

from rememberer_nb.errors import CheckError
from rememberer_nb.testing.agent_checks import check_agent
from rememberer_nb.testing.env_checks import check_env
from rememberer_nb.testing.llm_checks import check_llm
from rememberer_nb.testing.similarity_checks import check_similarity

__all__ = ["CheckError", "check_agent", "check_env", "check_llm", "check_similarity"]
