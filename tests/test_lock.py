"""What the image installs is what the program asks for."""

import re
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
LOCKED = dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))


def wanted() -> list[Requirement]:
    files = [ROOT / name for name in ("requirements-base.txt", "requirements.txt")]
    lines = [line for file in files for line in file.read_text().splitlines()]
    return [Requirement(line.strip()) for line in lines if line.strip() and line[0] not in "#-"]


def test_the_lock_holds_what_is_asked_for():
    assert wanted()
    for requirement in wanted():
        name = requirement.name.lower().replace("_", "-")
        assert requirement.specifier.contains(LOCKED[name]), f"{requirement}: run `make lock`"


def test_everything_locked_has_a_hash_and_no_address():
    text = (ROOT / "requirements.lock").read_text()
    blocks = re.split(r"^(?=[a-z0-9.-]+==)", text, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(LOCKED)
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text
