"""Make the bundled shop: python data/webshop/make_catalogue.py [--seed N] [--out DIR] [--check]

Writes `items_shuffle.json.gz`, `items_ins_v2.json.gz` and `items_human_ins.json.gz` in the file
formats of WebShop (princeton-nlp/WebShop, MIT), the same bytes for the same seed. Everything in
them is invented. `--check` writes nothing: it makes the files again in memory, compares them with
the ones in DIR, prints the shop's statistics and exits with status 1 if anything differs.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shopgen.instructions import choose_wanted, synthetic_instruction, write_instruction
from shopgen.products import MadeProduct, make_products
from shopgen.vocabulary import Category, load_categories

HERE = Path(__file__).resolve().parent
SEED = 20231210
ITEMS, ATTRIBUTES, INSTRUCTIONS = (
    "items_shuffle.json.gz",
    "items_ins_v2.json.gz",
    "items_human_ins.json.gz",
)
GOAL_SHARE = 0.42
SECOND_GOAL_SHARE = 0.45
SYNTHETIC_SHARE = 0.6
MAX_SYNTHETIC_GOALS = 30


@dataclass
class Shop:
    """The content of the three files: rows, attributes by asin, instructions by asin."""

    items: list[dict[str, Any]] = field(default_factory=list)
    attributes: dict[str, dict[str, Any]] = field(default_factory=dict)
    instructions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def files(self) -> dict[str, bytes]:
        """File name -> its bytes."""
        contents = zip(
            (ITEMS, ATTRIBUTES, INSTRUCTIONS),
            (self.items, self.attributes, self.instructions),
            strict=True,
        )
        return {name: _pack(content) for name, content in contents}


def _pack(content: object) -> bytes:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return gzip.compress(text.encode("utf-8"), compresslevel=9, mtime=0)


def unpack(data: bytes) -> Any:
    """The content of a packed file."""
    return json.loads(gzip.decompress(data))


def _instruction_row(product: MadeProduct, category: Category, rng: random.Random) -> dict:
    wanted = choose_wanted(product, rng)
    return {
        "asin": product.asin,
        "instruction": write_instruction(product, wanted, category, rng),
        "instruction_attributes": [attribute.name for attribute in wanted.attributes],
        "options": [f"{name}: {value}" for name, value in wanted.options],
        "instruction_options": [value for _, value in wanted.options],
    }


def _attribute_row(product: MadeProduct, rng: random.Random) -> dict[str, Any]:
    row: dict[str, Any] = {"attributes": [attribute.name for attribute in product.attributes]}
    n_goals = 1
    for values in product.options.values():
        n_goals *= len(values)
    if n_goals <= MAX_SYNTHETIC_GOALS and rng.random() < SYNTHETIC_SHARE:
        some = tuple(rng.sample(product.attributes, min(2, len(product.attributes))))
        row["instruction"] = synthetic_instruction(product, some)
        row["instruction_attributes"] = [attribute.name for attribute in some]
    return row


def make_shop(seed: int = SEED) -> Shop:
    """Make the whole shop; each department draws from its own generator."""
    shop, taken, texts = Shop(), set[str](), set[str]()
    for category in load_categories():
        rng = random.Random(f"{seed}:{category.name}")
        for product, is_real in make_products(category, rng, taken):
            shop.items.append(product.row)
            shop.attributes[product.asin] = _attribute_row(product, rng)
            n_goals = 0
            if is_real and rng.random() < GOAL_SHARE:
                n_goals = 2 if rng.random() < SECOND_GOAL_SHARE else 1
            rows = [_instruction_row(product, category, rng) for _ in range(n_goals)]
            new = {row["instruction"]: row for row in rows if row["instruction"] not in texts}
            texts.update(new)
            if new:
                shop.instructions[product.asin] = list(new.values())
    random.Random(f"{seed}:order").shuffle(shop.items)
    return shop


def _prices(items: Sequence[dict[str, Any]]) -> list[float]:
    texts = [item["pricing"].split(" - ")[0] for item in items if item["pricing"]]
    return [float(text.removeprefix("$")) for text in texts]


def _mean(numbers: Sequence[int]) -> str:
    return f"{statistics.mean(numbers):.2f}"


def statistics_lines(shop: Shop) -> list[str]:
    """The shop in numbers, a line each."""
    goals = [row for rows in shop.instructions.values() for row in rows]
    departments = Counter(item["category"] for item in shop.items)
    by_asin = {item["asin"]: item for item in shop.items}
    goal_departments = Counter(by_asin[row["asin"]]["category"] for row in goals)
    lines = [f"products: {len(shop.items)} of {len({i['query'] for i in shop.items})} queries"]
    for name in sorted(departments):
        prices = _prices([item for item in shop.items if item["category"] == name])
        lines.append(
            f"  {name}: {departments[name]} products, ${min(prices):.2f} to ${max(prices):.2f}"
            f" (median ${statistics.median(prices):.2f}), {goal_departments[name]} goals"
        )
    n_ranged = sum(" - " in item["pricing"] for item in shop.items)
    groups = [item["customization_options"] for item in shop.items]
    n_attributes = [len(row["attributes"]) for row in shop.attributes.values()]
    wanted = Counter(len(row["instruction_options"]) for row in goals)
    lines += [
        f"price ranges: {n_ranged}, no price: {sum(not i['pricing'] for i in shop.items)}",
        f"option groups per product: {_mean([len(g) for g in groups])},"
        f" values per group: {_mean([len(v) for g in groups for v in g.values()])}",
        f"attributes per product: {_mean(n_attributes)}",
        f"human goals: {len(goals)} for {len(shop.instructions)} products",
        f"attributes per goal: {_mean([len(r['instruction_attributes']) for r in goals])},"
        f" options per goal: {_mean([len(r['instruction_options']) for r in goals])}"
        f" ({', '.join(f'{n} with {wanted[n]}' for n in sorted(wanted))})".replace(" with ", ": "),
        f"words per instruction: {_mean([len(r['instruction'].split()) for r in goals])}",
        f"synthetic instructions: {sum('instruction' in r for r in shop.attributes.values())}",
    ]
    return lines


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make the bundled shop.")
    parser.add_argument("--seed", type=int, default=SEED, help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=HERE, help="folder (default: this script's)")
    parser.add_argument("--check", action="store_true", help="compare, print statistics")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the files; the exit status."""
    options = _parse(arguments)
    shop = make_shop(options.seed)
    if options.check:
        print("\n".join(statistics_lines(shop)))
    else:
        options.out.mkdir(parents=True, exist_ok=True)
    n_wrong = 0
    for name, data in shop.files().items():
        path = options.out / name
        if not options.check:
            path.write_bytes(data)
        elif not path.is_file() or unpack(path.read_bytes()) != unpack(data):
            n_wrong += 1
            print(f"{path} differs from what seed {options.seed} makes", file=sys.stderr)
        print(f"{name}: {len(data)} bytes")
    return 1 if n_wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
