"""The buyers' part of the published description, from which the mini-program's types are made."""

import json
import re
from collections.abc import Iterator
from typing import Any

FILE = "miniprogram/openapi.json"
PREFIX = "/api/"
_REFERENCE = re.compile(r'"#/components/schemas/([^"]+)"')


def text() -> str:
    from drf_spectacular.generators import SchemaGenerator

    generator: Any = SchemaGenerator
    whole = json.loads(json.dumps(generator().get_schema(request=None, public=True)))
    return json.dumps(buyers_part(whole), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def buyers_part(whole: dict[str, Any]) -> dict[str, Any]:
    """Return the description with the paths of buyers alone, and the shapes that these speak of."""
    paths = {path: told for path, told in whole["paths"].items() if path.startswith(PREFIX)}
    shapes = whole["components"]["schemas"]
    spoken_of = set(reached(paths, shapes))
    components = whole["components"] | {"schemas": {name: shapes[name] for name in shapes if name in spoken_of}}
    return whole | {"paths": paths, "components": components}


def reached(paths: dict[str, Any], shapes: dict[str, Any]) -> Iterator[str]:
    """Yield the names of the shapes that the paths speak of, and those that these speak of."""
    seen: set[str] = set()
    waiting = _REFERENCE.findall(json.dumps(paths))
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += _REFERENCE.findall(json.dumps(shapes[name]))
            yield name
