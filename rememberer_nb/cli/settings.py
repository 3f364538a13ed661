"""Settings on the command line: options of their own, ``--set`` for any, ``--config`` for many.

Options are made from the settings' metadata. What is given on the command line goes over what the
file says, and that over the defaults. None is the word "none".
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rememberer_nb.config import STAGES, replace
from rememberer_nb.config.fields import NONE
from rememberer_nb.config.reading import SETTINGS, make_configs, read_config, read_setting, to_toml
from rememberer_nb.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a call chooses.

    configs : a config per stage.
    given : of the settings on the command line, dotted name -> how it was given, for messages.
    """

    configs: dict[str, Any]
    given: dict[str, str]


class _Noted(argparse.Action):
    """Notes (option, dest, text) in the order given."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Note one more."""
        namespace.noted = [*getattr(namespace, "noted", []), (option_string, self.dest, values)]


def add_settings(
    parser: argparse.ArgumentParser, is_wanted: Callable[[str], bool] = lambda _: True
) -> None:
    """Add ``--config``, ``--set``, and a group per stage; `is_wanted` takes dotted names."""
    parser.usage = f"{parser.prog} [options]"
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings in a TOML file")
    _add(parser, ["--set"], "set", metavar="STAGE.NAME=VALUE", help="any setting; may be repeated")
    for stage, cls in STAGES.items():
        names = [name for name in SETTINGS if name.startswith(f"{stage}.") and is_wanted(name)]
        rest = [name for name in names if not SETTINGS[name]["option"]]
        about = (cls.__doc__ or "") + (f" Also, by --set: {', '.join(rest)}." if rest else "")
        group = parser.add_argument_group(stage, about) if names else None
        for name in names:
            if group and SETTINGS[name]["option"]:
                _add_option(group, name)


def _add_option(group: Any, name: str) -> None:
    known = SETTINGS[name]
    default = getattr(STAGES[name.partition(".")[0]](), name.partition(".")[2])
    shown = NONE if default in (None, ()) else default
    text = f"{known['meaning']} ({shown}) [{known['unit']}; {known['source']}]".replace("%", "%%")
    _add(group, known["option"].split(), name, metavar=known["rule"].metavar, help=text)


def _add(group: Any, options: list[str], dest: str, **more: str) -> None:
    group.add_argument(*options, dest=dest, action=_Noted, default=argparse.SUPPRESS, **more)


def choose_settings(args: argparse.Namespace, defaults: Mapping[str, Any] | None = None) -> Chosen:
    """Read what a call gives; `defaults` (dotted names) replace those of the classes.

    Raises
    ------
    ConfigError : a setting is unknown, given twice, or not what it must be.
    DataError : the file cannot be read.

    Examples
    --------
    >>> parser = argparse.ArgumentParser()
    >>> add_settings(parser)
    >>> chosen = choose_settings(parser.parse_args(["--gamma", "0.9", "--set", "rlem.n_step=none"]))
    >>> chosen.configs["rlem"].gamma, chosen.given
    (0.9, {'rlem.gamma': '--gamma', 'rlem.n_step': '--set rlem.n_step'})
    """
    values = {**(defaults or {}), **(read_config(args.config) if args.config else {})}
    given: dict[str, str] = {}
    for how, name, text in getattr(args, "noted", []):
        if name == "set":
            name, equals, text = text.partition("=")
            if not equals:
                raise ConfigError("--set needs STAGE.NAME=VALUE, such as rlem.gamma=0.9")
            how = f"--set {name:.60}"
        if given.get(name, how) != how:
            raise ConfigError(f"{name} is given twice: by {given[name]} and by {how}")
        value = read_setting(name, text)
        # Texts add up; of anything else that is given again, the last counts.
        is_more = name in given and isinstance(value, tuple)
        values[name] = values[name] + value if is_more else value
        given[name] = how
    return Chosen(_settled(make_configs(values), given), given)


def choose_for_agent(args: argparse.Namespace, defaults: Mapping[str, Any] | None = None) -> Chosen:
    """As `choose_settings`, with the brief template as default where likelihood chooses.

    What is on the page is in the candidates then, and a prompt without it takes far less time.

    >>> parser = argparse.ArgumentParser()
    >>> add_settings(parser)
    >>> for given in ([], ["--choose", "likelihood"]):
    ...     choose_for_agent(parser.parse_args(given)).configs["prompt"].template
    'full'
    'brief'
    """
    chosen = choose_settings(args, defaults)
    if chosen.configs["choice"].choose != "likelihood":
        return chosen
    return choose_settings(args, {"prompt.template": "brief", **(defaults or {})})


def _settled(configs: dict[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """With the LLM's name and the settings that say the same agreeing."""
    run, offline, model = configs["run"], configs["offline"], configs["llm"].model
    kind, _, detail = run.llm.partition(":")
    if kind == "openai" and model and not detail:
        run = replace(run, llm=f"openai:{model}")
    elif kind == "offline" and detail:
        if "offline.strength" in given and offline.strength != detail:
            raise ConfigError(f"two strengths are named: {offline.strength!r} and {detail!r}")
        offline = replace(offline, strength=detail)
    elif run.llm == "offline" and offline.strength != type(offline)().strength:
        run = replace(run, llm=f"offline:{offline.strength}")
    return {**configs, "run": run, "offline": offline}


def add_config_command(add: Callable[..., argparse.ArgumentParser], commands: Any) -> None:
    """Add the command ``config``; `add` makes a command with the common options."""
    add_settings(
        add(commands, "config", show_config, "every setting: value, unit, source, meaning")
    )


def show_config(args: argparse.Namespace) -> dict[str, Any]:
    """Every setting as a file for ``--config``."""
    from rememberer_nb.system.plain import plain

    configs = choose_settings(args).configs
    return {"config": plain(configs), "text": to_toml(configs).rstrip()}
