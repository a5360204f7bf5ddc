"""Whatever is found wrong has its page: what one sees, what it means, what to do, and when it is over."""

import ast
from collections.abc import Iterator

import pytest

from deploy.releases import ROOT
from frozenshop.kernel import health

FOLDER = ROOT / "docs/runbooks"
PAGES = sorted(path.name for path in FOLDER.glob("*.md") if path.name != "README.md")
INDEX = (FOLDER / "README.md").read_text(encoding="utf-8")
TROUBLE = sorted({f"{page}.md" for page in health.RUNBOOKS.values()})


def names() -> Iterator[str]:
    """Yield the name of each finding that some check may report, read from the code."""
    for package in ("frozenshop", "orders", "logistics", "notifications"):
        for path in (ROOT / package).rglob("*.py"):
            # What the back office calls a finding is something else: a row of a file, an answer to a search.
            if not {"tests", "backoffice"} & set(path.parts):
                tree = ast.parse(path.read_text(encoding="utf-8"))
                calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
                yield from (_name(call) for call in calls if ast.unparse(call.func).endswith("Finding"))


def _name(call: ast.Call) -> str:
    assert isinstance(call.args[0], ast.Constant), f"a finding's name is written out: {ast.unparse(call)}"
    return call.args[0].value


def test_every_finding_has_a_page_and_stands_in_the_index():
    found = set(names())
    assert len(found) >= 12
    assert found == set(health.RUNBOOKS)
    assert not {name for name in found if f"`{name}`" not in INDEX}


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_in_the_index(page):
    assert f"({page})" in INDEX


@pytest.mark.parametrize("page", TROUBLE)
def test_a_page_about_trouble_says_what_is_seen_what_it_means_what_to_do_and_when_it_is_over(page):
    text = (FOLDER / page).read_text(encoding="utf-8")
    parts = [text.find(f"**{word}") for word in ("You see", "It means", "Do", "It is over")]
    assert -1 not in parts
    assert parts == sorted(parts)
