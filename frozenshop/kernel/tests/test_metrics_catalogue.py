"""docs/metrics.md names every metric of the program, with its labels, and no other."""

import re
from pathlib import Path

import pytest
from django.utils.module_loading import autodiscover_modules
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from frozenshop.kernel import metrics
from frozenshop.kernel.metrics import components, serving

ROOT = Path(__file__).parents[3]
ROW = re.compile(r"^\| `(frozenshop_\w+)` \| (\w+) \|([^|]*)\| ([^|]+) \|", re.M)


def table() -> dict[str, tuple[str, tuple[str, ...]]]:
    text = (ROOT / "docs/metrics.md").read_text()
    return {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels, _ in ROW.findall(text)}


def counted() -> dict[str, tuple[str, tuple[str, ...], str]]:
    """Return what processes count, whether or not it was counted yet."""
    found = {}
    for collector in {*REGISTRY._collector_to_names}:
        if getattr(collector, "_name", "").startswith("frozenshop_"):
            name = collector._name + ("_total" if collector._type == "counter" else "")
            found[name] = (collector._type, tuple(collector._labelnames), collector._documentation)
    return found


def told() -> dict[str, tuple[str, tuple[str, ...], str]]:
    """Return what is shown besides: tables, components, build."""
    page = metrics.read_tables() + serving._text([components.family({"database": True}), serving._build()])
    page += serving._text([serving.tables_read(True)])
    found = {}
    for family in text_string_to_metric_families(page.decode()):
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = tuple(family.samples[0].labels) if family.samples else ()
        found[name] = (family.type, labels, family.documentation)
    return found


@pytest.mark.django_db
def test_every_metric_stands_in_the_table_with_its_type_and_labels():
    autodiscover_modules("tasks")
    known = table()
    missing = [
        f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in labels)} | {text} |"
        for name, (kind, labels, text) in sorted((counted() | told()).items())
        if name not in known or known[name][0] != kind or (labels and set(known[name][1]) != set(labels))
    ]
    assert missing == [], "docs/metrics.md lacks these rows:\n" + "\n".join(missing)


def test_every_metric_of_the_table_is_in_the_program():
    source = "\n".join(
        path.read_text()
        for area in ("frozenshop", "orders", "logistics", "notifications", "deploy/backup")
        for path in (ROOT / area).rglob("*.py")
        if "tests" not in path.parts
    )
    assert [name for name in table() if name.removesuffix("_total") not in source] == []
