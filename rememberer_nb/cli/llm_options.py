"""Options of the command line for real LLMs, and what they mean."""

from __future__ import annotations

import argparse
from pathlib import Path

from rememberer_nb.config import LLMConfig, replace
from rememberer_nb.errors import ConfigError

# Option, type, setting, help.
_OPTIONS = (
    ("--model", str, "model", "as the server knows it; same as openai:NAME"),
    ("--temperature", float, "temperature", "in [0, 2] (0)"),
    ("--max-tokens", int, "max_tokens", "longest reply (300)"),
    ("--reply-format", str, "reply_format", "auto, schema or text (auto)"),
    ("--timeout", float, "timeout_s", "seconds for one try (60)"),
    ("--deadline", float, "deadline_s", "seconds for all tries of a call (180)"),
    ("--max-retries", int, "max_retries", "tries after the first one (6)"),
    ("--requests-per-minute", float, "requests_per_minute", "limit (none)"),
    ("--tokens-per-minute", float, "tokens_per_minute", "limit (none)"),
    ("--input-price", float, "input_price", "money per million prompt tokens"),
    ("--output-price", float, "output_price", "money per million reply tokens"),
    ("--budget-calls", int, "budget_calls", "stop the run before it sends more requests"),
    ("--budget-tokens", int, "budget_tokens", "stop the run before it takes more tokens"),
    ("--budget-money", float, "budget_money", "stop the run before it costs more; needs prices"),
)


def add_llm_options(parser: argparse.ArgumentParser) -> None:
    """Add them, as a group of their own."""
    group = parser.add_argument_group(
        "real LLMs", "Key and address come from OPENAI_API_KEY and OPENAI_BASE_URL."
    )
    for option, kind, setting, text in _OPTIONS:
        metavar = "NAME" if kind is str else "N"
        group.add_argument(option, dest=f"llm_{setting}", type=kind, metavar=metavar, help=text)
    group.add_argument("--stop", action="append", metavar="TEXT", help="where a reply ends")
    group.add_argument(
        "--llm-seed", type=_seed, default="call", metavar="N", help="call (own), none, or N (call)"
    )
    group.add_argument("--concurrency", type=int, default=1, metavar="N", help="episodes at once")
    group.add_argument(
        "--record", type=Path, metavar="FILE", help="keep every call; goes on where FILE ends"
    )
    group.add_argument("--estimate", action="store_true", help="only say what the run would cost")


def llm_config(args: argparse.Namespace) -> LLMConfig:
    """The settings that were given.

    >>> parser = argparse.ArgumentParser()
    >>> add_llm_options(parser)
    >>> llm_config(parser.parse_args(["--model", "tiny", "--stop", "END"])).stop
    ('END',)
    """
    names = [setting for _, _, setting, _ in _OPTIONS]
    given = {name: value for name in names if (value := getattr(args, f"llm_{name}")) is not None}
    return replace(LLMConfig(), **given, stop=tuple(args.stop or ()), seed=args.llm_seed)


def llm_spec(args: argparse.Namespace) -> str:
    """The LLM's spec without the recording: "openai:NAME" for `--llm openai --model NAME`."""
    return f"openai:{args.llm_model}" if args.llm == "openai" and args.llm_model else args.llm


def recorded_spec(args: argparse.Namespace) -> str:
    """The whole spec, with the recording."""
    if args.record is None:
        return llm_spec(args)
    if args.llm.startswith(("record:", "replay:")):
        raise ConfigError(f"--record keeps the calls of another LLM, not of {args.llm}")
    return f"record:{args.record}:{llm_spec(args)}"


def _seed(text: str) -> int | str | None:
    if text in ("call", "none"):
        return "call" if text == "call" else None
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected call, none or N, got {text!r}") from error
