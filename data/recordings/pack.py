"""Put the recordings of a comparison's seeds together into one small file that ships.

::

    python data/recordings/pack.py runs/smollm2/recordings/*.jsonl \\
        --registered data/registered/smollm2-wikihow.toml --out smollm2-wikihow.jsonl.bz2

Calls and scores that several seeds have stand once, in the order of their keys; the same files give
the same bytes.
"""

from __future__ import annotations

import argparse
import bz2
from pathlib import Path

from rememberer_nb.errors import DataError
from rememberer_nb.experiments.registered import registration_sha256
from rememberer_nb.llms.replay.recording import (
    call_line,
    header_line,
    read_recording,
    same_llm,
    scored_line,
)


def pack(paths: list[Path], registered: str = "") -> bytes:
    """One recording, compressed; `DataError` if two were made with different settings.

    `registered` is the hash of the settings that were written down before.
    """
    settings = read_recording(paths[0]).settings
    lines: dict[str, str] = {}
    for path in paths:
        recording = same_llm(path, settings)
        found = {key: call_line(key, call) for key, call in recording.calls.items()}
        found |= {key: scored_line(key, value) for key, value in recording.scored.items()}
        if differing := [key for key in lines.keys() & found.keys() if lines[key] != found[key]]:
            raise DataError(f"answers {differing[0]} otherwise than another file", path=path)
        lines |= found
    whole = header_line(settings, registered) + "".join(lines[key] for key in sorted(lines))
    return bz2.compress(whole.encode("ascii"), 9)


def main() -> None:
    """Read the command line, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Format)
    parser.add_argument("recordings", type=Path, nargs="+")
    parser.add_argument("--registered", type=Path, help="the settings written down before")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    registered = registration_sha256(args.registered) if args.registered else ""
    content = pack(args.recordings, registered)
    args.out.write_bytes(content)
    print(f"{args.out}: {len(content):,} bytes")


_Format = argparse.RawDescriptionHelpFormatter

if __name__ == "__main__":
    main()
