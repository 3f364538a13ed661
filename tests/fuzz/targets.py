"""What is fuzzed, by name: each target makes inputs of one kind and drives real entry points."""

from __future__ import annotations

from tests.fuzz import file_targets, other_targets
from tests.fuzz.case import TARGETS

__all__ = ["TARGETS", "file_targets", "other_targets"]
