"""Text to encoded records, once at insertion; similarities behind one protocol, by name.

==========================  =====================================================================
name                        likeness of (a part of) two records
==========================  =====================================================================
``tfidf``                   TF-IDF cosine of two texts (the default f_g and f_o)
``jaccard``                 shared words over all words of two texts
``lcs``                     f_o of the how-to site (paper): longest common subsequence of the
                            elements' tags, over the longer length
``lcs_class``               the same over tags with classes: stricter (ours)
``instruction_pattern``     f_g of the how-to site (paper): what the instructions ask for
``page_pattern``            kind of shop page
``instruction_relevance``   telling words that two tasks share
``embedding:wordllama``     cosine of the vectors that a small model of this machine gives: no
                            network (extra ``embed``)
``embedding:MODEL``         cosine of the vectors that an OpenAI-compatible endpoint gives
``page_relevance``          how well a page fits its task, compared with how well the other does
``a+b``, ``9*a+b``          their mean, equal or weighted
==========================  =====================================================================

The variants of the paper and of the published code (its names in the first column), as a
`RetrievalConfig`; its sentence transformer is replaced by words, see `relevance`:

======================  =======================  ============================  ===============
published               task_similarity (f_g)    observation_similarity (f_o)  task_weight (λ)
======================  =======================  ============================  ===============
lcs                     instruction_pattern      lcs                           0
inspat                  instruction_pattern      lcs                           1
lcs+inspat (paper)      instruction_pattern      lcs                           0.5
pgpat                   instruction_relevance    page_pattern                  0
insrel                  instruction_relevance    page_pattern                  1
pgpat+insrel            instruction_relevance    page_pattern                  0.5
9pgpat1insrel           instruction_relevance    page_pattern                  0.1
pgpat+iprel             instruction_relevance    page_pattern+page_relevance   0
pgpat+iprel+insrel      instruction_relevance    page_pattern+page_relevance   1/3
======================  =======================  ============================  ===============

Unlike there, each scores unlike pairs lower: the page relevance of a record is its own (the
published one is the query's), and every kind of instruction can match (the published reference list
never does).
"""

from rememberer_nb.retrieval.embedding import EmbeddingSimilarity
from rememberer_nb.retrieval.fast.protocols import Probe
from rememberer_nb.retrieval.index import RecordIndex, Scored
from rememberer_nb.retrieval.jaccard import JaccardSimilarity
from rememberer_nb.retrieval.late import LateIndex
from rememberer_nb.retrieval.lcs import LcsSimilarity, element_classes
from rememberer_nb.retrieval.mixed import MixedSimilarity
from rememberer_nb.retrieval.patterns import InstructionPattern, PagePattern
from rememberer_nb.retrieval.registry import make_similarity, register_family, register_similarity
from rememberer_nb.retrieval.relevance import InstructionRelevance, PageRelevance
from rememberer_nb.retrieval.similarity import Similarity, Term
from rememberer_nb.retrieval.tfidf import TfidfSimilarity, tokenize

register_similarity("tfidf", TfidfSimilarity)
register_similarity("jaccard", JaccardSimilarity)
register_similarity("lcs", LcsSimilarity)
register_similarity("lcs_class", lambda: LcsSimilarity(name="lcs_class", elements=element_classes))
register_similarity("instruction_pattern", InstructionPattern)
register_similarity("page_pattern", PagePattern)
register_similarity("instruction_relevance", InstructionRelevance)
register_similarity("page_relevance", PageRelevance)
# Models are asked by parts of `llms`, which stands below.
register_similarity(
    "embedding:wordllama", "rememberer_nb.llms.local.wordllama_embeddings:wordllama_similarity"
)
register_family("embedding", "rememberer_nb.llms.endpoint.embeddings:embedding_similarity")

__all__ = [
    "EmbeddingSimilarity",
    "InstructionPattern",
    "InstructionRelevance",
    "JaccardSimilarity",
    "LateIndex",
    "LcsSimilarity",
    "MixedSimilarity",
    "PagePattern",
    "PageRelevance",
    "Probe",
    "RecordIndex",
    "Scored",
    "Similarity",
    "Term",
    "TfidfSimilarity",
    "make_similarity",
    "register_family",
    "register_similarity",
    "tokenize",
]
