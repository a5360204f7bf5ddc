"""What one release writes into the outbox, the one before it and the one after it must understand."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.releases import ROOT, last, snapshot

ADVICE = "docs/adr/0011 says how a payload changes over two releases"
PACKAGES = ("frozenshop", "orders", "logistics", "notifications")


@pytest.fixture(scope="module")
def now() -> dict:
    return snapshot.tasks()


def misunderstood(old: dict, new: dict) -> Iterator[str]:
    """Yield what the consumers of `new` don't understand of what `old` may have written."""
    for topic, keywords in old.items():
        if topic not in new:
            yield f"{topic} has no consumer any more: keep one for a release after the last row is written"
            continue
        taken = new[topic]
        for name in keywords.keys() - taken.keys() if "**" not in taken else ():
            yield f"{topic}: takes no {name} any more, which waiting rows have"
        for name in taken.keys() & keywords.keys() - {"**"}:
            if taken[name]["type"] != keywords[name]["type"]:
                yield f"{topic}: {name} was {keywords[name]['type']}, rows that wait have it so; take a new keyword"
        needed = {name for name, one in taken.items() if one["required"]}
        for name in needed - {name for name, one in keywords.items() if one["required"]}:
            yield f"{topic}: needs {name}, which waiting rows lack; give it a default"


def test_what_the_last_release_wrote_is_understood_now(now):
    assert list(misunderstood(last().tasks, now)) == [], ADVICE


def test_what_is_written_now_was_understood_by_the_last_release(now):
    assert list(too_new(sent(), last().tasks)) == [], ADVICE


def too_new(written: dict[str, set[str]], old: dict) -> Iterator[str]:
    """Yield keywords that are written and that the last release doesn't take. A new topic waits for new workers."""
    for topic, names in written.items():
        unknown = names - old[topic].keys() if topic in old and "**" not in old[topic] else set()
        if unknown:
            yield f"{topic}: {last().version} takes no {', '.join(unknown)}: take it now, write it in the next release"


def test_everything_that_is_written_has_a_consumer_that_takes_it(now):
    written = sent()
    assert not written.keys() - now.keys()
    strict = {topic: names for topic, names in written.items() if "**" not in now[topic]}
    assert not {topic for topic, names in strict.items() if names - now[topic].keys()}
    assert len(written) >= 20


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda tasks: tasks.pop("orders.grant_by_phone"), "has no consumer any more"),
        (lambda tasks: tasks["orders.grant_by_phone"].pop("customer_id"), "takes no customer_id any more"),
        (lambda tasks: tasks["logistics.subscribe"]["shipment_id"].update(type="str"), "shipment_id was int"),
        (lambda tasks: tasks["logistics.subscribe"].update(why={"type": "str", "required": True}), "needs why"),
    ],
    ids=["gone", "renamed", "retyped", "needed"],
)
def test_a_change_that_would_strand_waiting_rows_is_refused(now, change, sentence):
    changed = {topic: {name: dict(one) for name, one in keywords.items()} for topic, keywords in now.items()}
    change(changed)
    assert any(sentence in line for line in misunderstood(last().tasks, changed))


def test_a_keyword_is_taken_a_release_before_it_is_written():
    assert not list(too_new({"logistics.subscribe": {"shipment_id"}, "orders.new": {"x"}}, last().tasks))
    assert list(too_new({"logistics.subscribe": {"shipment_id", "why"}}, last().tasks))


# --- what is written, read from the code ----------------------------------------------------------


def sent() -> dict[str, set[str]]:
    """Return the keywords that some call of `outbox.enqueue` writes for each topic."""
    found: dict[str, set[str]] = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            if {"tests", "migrations"} & set(path.parts):
                continue
            for topic, names in _of_file(path):
                found.setdefault(topic, set()).update(names)
    return found


def _of_file(path: Path) -> Iterator[tuple[str, set[str]]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
            if ast.unparse(call.func) == "outbox.enqueue":
                yield _topic(path, call.args[0]), _keywords(function, call)


def _topic(path: Path, written: ast.expr) -> str:
    if isinstance(written, ast.Constant):
        return written.value
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    found = module
    for name in ast.unparse(written).split("."):
        found = getattr(found, name)
    return str(found)


def _keywords(function: ast.FunctionDef, call: ast.Call) -> set[str]:
    """What is handed on as it came holds nothing that was not there before."""
    given = call.args[1] if len(call.args) > 1 else None
    if isinstance(given, ast.Name):
        assigned = [node for node in ast.walk(function) if isinstance(node, ast.Assign)]
        given = next((node.value for node in assigned if ast.unparse(node.targets[0]) == ast.unparse(given)), given)
    if not isinstance(given, ast.Dict):
        return set()
    assert all(isinstance(key, ast.Constant) for key in given.keys), ast.unparse(call)
    return {key.value for key in given.keys}
