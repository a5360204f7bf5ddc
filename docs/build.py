"""Write what is made from the code: the module table, the picture of imports, the lifecycle; what the mini-program
knows of the API.

`python -m docs.build` writes them; `python -m docs.build --check` fails where they are out of date.
"""

import ast
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("frozenshop", "orders", "logistics", "notifications", "sandbox")
AREAS = (
    "frozenshop.kernel",
    "orders",
    "logistics",
    "notifications",
    "frozenshop.api",
    "frozenshop.backoffice",
    "frozenshop.urls",
    "sandbox",
)


def modules() -> Iterator[tuple[str, str]]:
    """Yield each module's dotted name and the first line of its docstring."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if {"tests", "migrations"} & set(parts) or path.stat().st_size == 0:
                continue
            doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            name = ".".join(parts).removesuffix(".__init__")
            yield name, doc.splitlines()[0] if doc else ""


def module_table() -> str:
    rows = [f"| `{name}` | {doc} |" for name, doc in modules() if doc]
    return "\n".join(["| module | purpose |", "|---|---|", *rows])


def area_of(module: str) -> str | None:
    return next((area for area in AREAS if module == area or module.startswith(area + ".")), None)


def import_picture() -> str:
    """Draw which area imports which, with the number of importing lines, from the code as it is."""
    counts: dict[tuple[str, str], int] = {}
    for name, _ in modules():
        here = area_of(name)
        path = ROOT / Path(*name.split("."))
        source = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
        for target in imported(source):
            there = area_of(target)
            if here and there and here != there:
                counts[here, there] = counts.get((here, there), 0) + 1
    ids = {area: area.replace(".", "_") for area in AREAS}
    lines = ["```mermaid", "graph TD", *(f'  {ids[a]}["{a}"]' for a in AREAS)]
    lines += [f"  {ids[a]} -->|{n}| {ids[b]}" for (a, b), n in sorted(counts.items())]
    return "\n".join([*lines, "```"])


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def lifecycle_diagram() -> str:
    from orders.lifecycle import diagram

    return f"```mermaid\n{diagram()}\n```"


def alert_table() -> str:
    from orders.alerting import KINDS

    rows = [
        f"| `{kind.value}` | {kind.label} | {k.severity.label} | {k.due} | {k.buyer_message} |"
        for kind, k in KINDS.items()
    ]
    return "\n".join(["| kind | 中文 | severity | due within | what the buyer reads |", "|---|---|---|---|---|", *rows])


def replaced(text: str, name: str, made: str) -> str:
    pattern = re.compile(rf"(<!-- made: {name} -->\n).*?(<!-- end: {name} -->)", re.S)
    if not pattern.search(text):
        raise SystemExit(f"no place for {name}")
    return pattern.sub(lambda match: match[1] + made + "\n" + match[2], text)


def with_parts(file: str, makers: dict[str, Callable[[], str]]) -> str:
    text = (ROOT / file).read_text(encoding="utf-8")
    for name, make in makers.items():
        text = replaced(text, name, make())
    return text


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    from docs import anomaly_tables, buyers_api, role_tables
    from notifications.settlement import errors as settlement_errors

    parts = {
        "docs/architecture.md": {"imports": import_picture, "modules": module_table},
        "docs/lifecycle.md": {"lifecycle": lifecycle_diagram, "alerts": alert_table},
        "docs/settlement.md": {"errors": settlement_errors.table},
        "docs/roles.md": {"matrix": role_tables.matrix, "pages": role_tables.pages},
        "docs/anomalies.md": {"kinds": anomaly_tables.kinds, "silence": anomaly_tables.silence},
    }
    made = {file: with_parts(file, makers) for file, makers in parts.items()} | {buyers_api.FILE: buyers_api.text()}
    stale = [file for file, text in made.items() if (ROOT / file).read_text(encoding="utf-8") != text]
    if "--check" not in sys.argv:
        for file in stale:
            (ROOT / file).write_text(made[file], encoding="utf-8")
        if buyers_api.FILE in stale:
            print("the buyers' API is another one: `npm run api` in miniprogram/ makes its types anew")
    if stale and "--check" in sys.argv:
        print(f"out of date, run `make docs`: {', '.join(stale)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
