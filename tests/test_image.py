"""The image is built and each role run from it, where the tools for it are."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MISSING = [tool for tool in ("buildah", "podman", "runc", "debootstrap", "kubectl") if shutil.which(tool) is None]

pytestmark = [pytest.mark.drill, pytest.mark.services, pytest.mark.timeout(1500)]


def test_the_image_is_small_and_each_role_runs_from_it():
    if MISSING or os.getuid() != 0:
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(f"needs root and {', '.join(MISSING)}")
        pytest.skip(f"needs root and {', '.join(MISSING)}")
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/root")}
    built = run([str(ROOT / "deploy/image/build.sh")], environment)
    assert int(built.strip().splitlines()[-1].split(":")[-1].split()[0]) <= 250, built[-300:]
    print(run([sys.executable, "-m", "deploy.image.try"], environment))


def run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout
