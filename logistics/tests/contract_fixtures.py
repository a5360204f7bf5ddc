"""The bodies of all fixtures as they would come, by provider and kind; run as a module it writes the known shapes.

`python -m logistics.tests.contract_fixtures`
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import django

from logistics.contracts import CONTRACTS, FOLDER, contract_of
from logistics.contracts.shapes import type_of, walk

FIXTURES = Path(__file__).parent / "fixtures"


def bodies(provider: str) -> Iterator[tuple[str, str, bytes]]:
    """Yield name, kind and body of each message of a provider in its fixtures."""
    for path in sorted(FIXTURES.glob(f"{provider}_*.json")):
        for kind, body in _MESSAGES[provider](json.loads(path.read_text())):
            yield path.stem, kind, body


def shapes(provider: str) -> dict[str, dict[str, str]]:
    """Return kind → path → types, of all fixtures."""
    contract = contract_of(provider)
    assert contract
    found: dict[str, dict[str, set[str]]] = {"answer": defaultdict(set), "push": defaultdict(set)}
    for _, kind, body in bodies(provider):
        for path, value in walk(contract.opened(body, kind)):
            found[kind][path] |= {type_of(value)} - {""}
    return {
        kind: {path: " ".join(sorted(types)) for path, types in sorted(paths.items())} for kind, paths in found.items()
    }


def text_of(provider: str) -> str:
    return json.dumps(shapes(provider), ensure_ascii=False, indent=1) + "\n"


def _kdniao(told: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    if "push" in told:
        yield "push", told["push"]["raw_body"].encode()
    elif "Traces" in told.get("response", {}):
        yield "answer", _json(told["response"])


def _cainiao(told: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    for name in ("response", "response_shape_A_flat", "response_shape_B_nested"):
        if name in told:
            yield "answer", _json(told[name])
    if "expected_response" in told:
        yield "push", urlencode(told["form"]).encode() if "form" in told else _json(told["request_body"])


def _kuaidi100(told: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    if "data" in told.get("response", {}):
        yield "answer", _json(told["response"])
    for case in told.get("cases", [told]):
        if isinstance(case, dict) and "lastResult" in case.get("form", {}).get("param", ""):
            yield "push", urlencode(case["form"]).encode()


def _sf(told: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    if "request_body" in told:
        yield "push", _json(told["request_body"])
    elif "content_xml" in told:
        yield "push", urlencode({"content": told["content_xml"]}).encode()
    elif "request_form" in told:
        # As `sf.query` keeps them: what was said of the waybill that was asked about.
        for name in ("response", "response_empty"):
            yield "answer", _json({"routeResps": json.loads(told[name]["apiResultData"])["msgData"]["routeResps"]})


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


_MESSAGES = {"kdniao": _kdniao, "cainiao": _cainiao, "kuaidi100": _kuaidi100, "sf": _sf}

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    for name in CONTRACTS:
        (FOLDER / f"{name}.json").write_text(text_of(name))
