"""What the documents promise is what the code says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")])
READ = re.compile(r'env\.\w+\(\s*"([A-Z0-9_]+)"')
NAMED = re.compile(r"^([A-Z0-9_]+)=", re.M)


def test_the_parts_made_from_the_code_are_current():
    done = subprocess.run([sys.executable, "-m", "docs.build", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_setting_stands_in_the_example_and_nothing_else_does():
    files = ("frozenshop/settings.py", "deploy/backup/settings.py")
    read = {name for file in files for name in READ.findall((ROOT / file).read_text())} | {"VAR_DIR"}
    assert set(NAMED.findall((ROOT / ".env.example").read_text())) == read


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document):
    targets = re.findall(r"\]\((?!http)([^)#]+)", document.read_text())
    assert [t for t in targets if not (document.parent / t).exists()] == []


def test_every_dependency_has_its_reason():
    names = set()
    for file in ROOT.glob("requirements*.txt"):
        names |= set(re.findall(r"^([A-Za-z][A-Za-z0-9-]+)", file.read_text(), re.M))
    reasons = (ROOT / "CONTRIBUTING.md").read_text().split("each with its reason")[1]
    unexplained = {name for name in names if name not in reasons and name.removeprefix("pytest") not in reasons}
    assert {name for name in unexplained if "types" not in name} == set()


def test_every_dependency_is_bounded_above():
    lines = [line for file in ROOT.glob("requirements*.txt") for line in file.read_text().splitlines()]
    loose = [line for line in lines if line and line[0] not in "#-" and "<" not in line]
    assert loose == []
