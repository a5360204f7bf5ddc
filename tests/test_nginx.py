"""nginx itself reads deploy/nginx as compose mounts it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.manifests import ROOT

pytestmark = pytest.mark.skipif(bool(os.environ.get("REDIS_URL")), reason="the same on either run")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The configuration, with a certificate made for it in the place of the mounted one."""
    if shutil.which("nginx") is None:
        if "1" in (os.environ.get("REQUIRE_SERVICES"), os.environ.get("REQUIRE_NODE")):
            pytest.fail("nginx is not here")
        pytest.skip("nginx is not here")
    shutil.copytree(ROOT / "deploy/nginx", tmp_path / "nginx")
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=shop.example.com"]
    files = ["-keyout", str(tmp_path / "TLS_KEY"), "-out", str(tmp_path / "TLS_CERTIFICATE")]
    subprocess.run([*make, *files], check=True, capture_output=True)
    config = tmp_path / "nginx/nginx.conf"
    text = config.read_text().replace(" /tmp/", f" {tmp_path}/")
    config.write_text(text.replace("/run/secrets/", f"{tmp_path}/"))
    return tmp_path


def verdict(folder: Path) -> str:
    command = ["nginx", "-t", "-c", str(folder / "nginx/nginx.conf")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    return "" if done.returncode == 0 else done.stderr


def test_nginx_reads_its_configuration(folder):
    assert verdict(folder) == ""


def test_nginx_names_a_fault_in_it(folder):
    (folder / "nginx/upstreams.conf").write_text("upstream web { sever 127.0.0.1; }")
    assert "sever" in verdict(folder)
