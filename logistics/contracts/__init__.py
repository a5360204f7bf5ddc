"""What each provider's messages look like as far as our parsers know: fields, their types, closed lists of codes.

`CONTRACTS` has one entry for each provider: a module here with a `Contract`, and beside it `<name>.json`, which
`python -m logistics.tests.contract_fixtures` makes from the fixtures. `watch` compares what comes with it.
"""

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from logistics.contracts.shapes import Contract, Known

CONTRACTS: Mapping[str, str] = {
    name: f"logistics.contracts.{name}" for name in ("kdniao", "cainiao", "sf", "kuaidi100")
}
FOLDER = Path(__file__).parent


def contract_of(provider: str) -> Contract | None:
    """Return the contract of a provider that is watched."""
    path = CONTRACTS.get(provider)
    contract: Contract | None = import_module(path).CONTRACT if path else None
    return contract


def known_of(provider: str, kind: str) -> Known:
    """Return the fields that messages of a kind (push, answer) are known to have, with their types."""
    made: dict[str, dict[str, str]] = json.loads((FOLDER / f"{provider}.json").read_text())
    contract = contract_of(provider)
    known: dict[str, frozenset[str]] = {}
    for fields in (made.get(kind, {}), contract.also.get(kind, {}) if contract else {}):
        for path, types in fields.items():
            known[path] = known.get(path, frozenset()) | frozenset(types.split())
    return known
