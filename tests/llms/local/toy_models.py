"""Models of a few bytes in wheels of their own, which pip takes for real ones."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from rememberer_nb.llms.local.catalogue import Model, Wheel


def make_toy(folder: Path, name: str = "toy", parts: tuple[bytes, ...] = (b"GGUF one",)) -> Model:
    """Write a wheel per part, and describe the model that they are."""
    folder.mkdir(parents=True, exist_ok=True)
    wheels = [_make_wheel(folder, f"{name}-part{i}", part) for i, part in enumerate(parts, 1)]
    whole = b"".join(parts)
    return Model(
        name=name,
        file=f"{name}.gguf",
        size=len(whole),
        sha256=hashlib.sha256(whole).hexdigest(),
        wheels=tuple(wheels),
        licence="a licence",
        licence_url="https://example.org/licence",
        about="a toy",
        check_sum=0.0,
    )


def _make_wheel(folder: Path, distribution: str, data: bytes) -> Wheel:
    module = distribution.replace("-", "_")
    info = f"{module}-1.0.dist-info"
    path = folder / f"{module}-1.0-py3-none-any.whl"
    tags = "Wheel-Version: 1.0\nGenerator: toy\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(path, "w") as archive:
        # Whoever imports it, or runs it, fails.
        archive.writestr(f"{module}/__init__.py", "raise SystemExit('it was run')\n")
        archive.writestr(f"{module}/part.gguf", data)
        named = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
        archive.writestr(f"{info}/METADATA", named + "Requires-Dist: no-such-thing\n")
        archive.writestr(f"{info}/WHEEL", tags)
        archive.writestr(f"{info}/RECORD", "")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return Wheel(distribution, "1.0", f"{module}/part.gguf", path.stat().st_size, sha256)
