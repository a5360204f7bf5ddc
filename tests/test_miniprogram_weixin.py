"""The mini-program as WeChat gets it: built, compiled and driven outside WeChat; and what makes a merchant's build."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "miniprogram"
MAKE = FOLDER / "scripts" / "make.py"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module", autouse=True)
def packages() -> None:
    """Node.js with what package-lock.json names; its absence is an error only where everything is required."""
    if not shutil.which("npm"):
        if os.environ.get("REQUIRE_NODE") == "1":
            pytest.fail("there is no Node.js")
        pytest.skip("there is no Node.js")
    done = make("install")
    assert done.returncode == 0, done.stderr


def make(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(MAKE), *words]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=800)


def test_the_built_program_keeps_wechats_rules_on_every_journey(running):
    sandbox = running["urls"]["sandbox"].removesuffix("/")
    api = running["urls"]["admin"].removesuffix("/admin/")
    done = make("weixin", API=api, SANDBOX=sandbox, OPENID=running["buyer"]["openid"])
    assert done.returncode == 0, f"{done.stdout[-12_000:]}\n{done.stderr}"
    assert "# fail 0" in done.stdout


@pytest.fixture
def built(tmp_path):
    """Build for WeChat with a merchant's settings; the folder of the result, or what the builder says against it."""

    def run(**settings: str) -> Path | str:
        command = [str(FOLDER / "node_modules" / ".bin" / "uni"), "build", "-p", "mp-weixin"]
        environment = os.environ | {"UNI_OUTPUT_DIR": str(tmp_path / "built")} | settings
        done = subprocess.run(command, cwd=FOLDER, env=environment, capture_output=True, text=True, timeout=300)
        return tmp_path / "built" if done.returncode == 0 else done.stdout + done.stderr

    return run


def test_a_merchants_build_holds_their_appid_their_server_and_the_plugin_that_they_added(built):
    folder = built(
        WECHAT_APPID="wx00000000000000aa", VITE_API_URL="https://orders.example.com", VITE_LOGISTICS_PLUGIN="9.8.7"
    )
    plugin = json.loads((folder / "app.json").read_text())["plugins"]["logisticsPlugin"]
    assert plugin == {"version": "9.8.7", "provider": "wx9ad912bf20548d92"}
    assert json.loads((folder / "project.config.json").read_text())["appid"] == "wx00000000000000aa"
    code = "".join(path.read_text() for path in folder.rglob("*.js"))
    assert "https://orders.example.com" in code
    assert "requirePlugin" in code


@pytest.mark.parametrize("address", ["http://orders.example.com", "https://orders.example.com/", "orders.example.com"])
def test_an_address_that_wechat_would_refuse_is_refused_at_once(built, address):
    said = built(VITE_API_URL=address)
    assert isinstance(said, str)
    assert "VITE_API_URL" in said
