"""The buyers' pages under `/m/`: only what was built, whole, compressed, and cached as long as its name allows."""

import gzip
import json
import os
from pathlib import Path

import pytest
from django.test import Client

from frozenshop.api.views import miniprogram as hosting

pytestmark = pytest.mark.skipif(bool(os.environ.get("REDIS_URL")), reason="the same on either run")

PAGE = '<!doctype html><script type="module" src="/m/assets/index-Cp-Ir--u.js"></script>'
SCRIPT = "assets/index-Cp-Ir--u.js"
CODE = "console.log(1);" * 200


@pytest.fixture
def folder(tmp_path: Path, settings) -> Path:
    settings.MINIPROGRAM_DIR = str(tmp_path / "h5")
    settings.VAR_DIR = tmp_path
    return tmp_path / "h5"


@pytest.fixture
def built(folder: Path) -> Path:
    write(folder, {"index.html": PAGE, SCRIPT: CODE, "static/logo.png": "png"})
    return folder


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def rebuild(folder: Path, files: dict[str, str]) -> None:
    """Write the files as a later build does: the first page is newer than the one before."""
    before = (folder / "index.html").stat().st_mtime_ns
    write(folder, files)
    os.utime(folder / "index.html", ns=(before + 10**9, before + 10**9))


def test_the_first_page_is_asked_about_each_time_and_its_hashed_parts_never_again(client, built):
    first, script, picture = client.get("/m/"), client.get(f"/m/{SCRIPT}"), client.get("/m/static/logo.png")
    assert (first.content.decode(), first["Cache-Control"]) == (PAGE, "no-cache")
    assert script["Cache-Control"] == "public, max-age=31536000, immutable"
    assert picture["Cache-Control"] == "no-cache"
    assert [one["Content-Type"] for one in (first, script, picture)] == [
        "text/html; charset=utf-8",
        "text/javascript; charset=utf-8",
        "image/png",
    ]


def test_nothing_foreign_and_nothing_written_into_the_page_may_run(client, built):
    answer = client.get("/m/")
    rules = dict(rule.strip().split(" ", 1) for rule in answer["Content-Security-Policy"].split(";"))
    assert (rules["default-src"], rules["script-src"], rules["connect-src"]) == ("'none'", "'self'", "'self'")
    assert rules["frame-ancestors"] == "'none'"
    assert "http" not in answer["Content-Security-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_text_is_compressed_for_those_who_take_it(client, built):
    plain, zipped = client.get(f"/m/{SCRIPT}"), client.get(f"/m/{SCRIPT}", headers={"Accept-Encoding": "br, gzip"})
    assert gzip.decompress(zipped.content) == plain.content == CODE.encode()
    assert len(zipped.content) == int(zipped["Content-Length"]) < len(plain.content)
    assert plain["Vary"] == zipped["Vary"] == "Accept-Encoding"
    assert "Content-Encoding" not in plain


@pytest.mark.parametrize(
    ("accepted", "zipped"),
    [("", 0), ("gzip", 1), ("gzip;q=0", 0), ("gzip; q=0.0, br", 0), ("br,GZIP ; q=0.5", 1), ("xgzip", 0), ("gzipx", 0)],
)
def test_accept_encoding_is_read_with_its_refusals(client, built, accepted, zipped):
    answer = client.get(f"/m/{SCRIPT}", headers={"Accept-Encoding": accepted})
    assert answer.headers.get("Content-Encoding") == ("gzip" if zipped else None)


@pytest.mark.parametrize("accepted", ["", "gzip"])
def test_what_the_browser_has_is_not_sent_again(client, built, accepted):
    headers = {"Accept-Encoding": accepted}
    etag = client.get("/m/", headers=headers)["ETag"]
    again = client.get("/m/", headers=headers | {"If-None-Match": etag})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
    rebuild(built, {"index.html": PAGE + " "})
    assert client.get("/m/", headers=headers | {"If-None-Match": etag}).status_code == 200


def test_head_tells_what_get_would_send_without_sending_it(client, built):
    got, told = client.get(f"/m/{SCRIPT}"), client.head(f"/m/{SCRIPT}")
    assert (told.status_code, told.content) == (200, b"")
    assert (told["Content-Length"], told["ETag"]) == (got["Content-Length"], got["ETag"])


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_pages_are_only_read(client, built, method):
    assert client.generic(method, "/m/").status_code == 405


OUTSIDE = (
    "../secret", "assets/../../secret", "%2e%2e/secret", "..%2fsecret", "..\\secret", "%2e%2e%2fsecret", "/etc/passwd",
    "%00", "static", "assets/", "index.html/", "./index.html", "link", "static/linked", "INDEX.HTML",
)  # fmt: skip


@pytest.mark.parametrize("name", OUTSIDE)
def test_no_address_leads_out_of_the_folder(client, built, name):
    write(built.parent, {"secret": "the shop's"})
    (built / "link").symlink_to(built.parent / "secret")
    (built / "static" / "linked").symlink_to(built.parent / "secret")
    answer = client.get(f"/m/{name}")
    assert answer.status_code == 404
    assert b"the shop's" not in answer.content


def test_a_new_build_shows_without_a_restart(client, built):
    client.get("/m/")
    rebuild(built, {"index.html": "new"})
    assert client.get("/m/").content == b"new"


def test_while_a_build_replaces_the_folder_the_former_stays(client, built):
    client.get("/m/")
    built.rename(built.parent / "away")
    assert client.get("/m/").content.decode() == PAGE
    assert client.get(f"/m/{SCRIPT}").status_code == 200


def test_without_the_slash_one_is_led_there(client, built):
    answer = client.get("/m")
    assert (answer.status_code, answer["Location"]) == (301, "/m/")


def test_where_nothing_was_built_there_is_no_page(client, folder):
    assert client.get("/m/").status_code == 404


def tell(folder: Path, **state: str) -> None:
    write(folder.parent, {hosting.STATE: json.dumps(state)})


@pytest.mark.parametrize("state", [{}, {"state": "building"}])
def test_the_demo_asks_for_patience_and_comes_back_by_itself(client, folder, settings, state, caplog):
    settings.LOCAL_DEMO = True
    tell(folder, **state)
    answer = client.get("/m/")
    assert not caplog.records
    assert (answer.status_code, answer["Cache-Control"]) == (503, "no-store")
    assert "买家页面正在准备…" in answer.content.decode()
    assert 'http-equiv="refresh"' in answer.content.decode()


def test_the_demo_says_what_is_missing_and_does_not_come_back(client, folder, settings):
    settings.LOCAL_DEMO = True
    tell(folder, state="absent", sentence="没有 <Node>")
    answer = client.get("/m/")
    assert (answer.status_code, answer.headers.get("Retry-After")) == (503, None)
    assert "没有 &lt;Node&gt;" in answer.content.decode()
    assert "refresh" not in answer.content.decode()


def test_a_state_that_cannot_be_read_is_none(client, folder, settings):
    settings.LOCAL_DEMO = True
    write(folder.parent, {hosting.STATE: "["})
    assert client.get("/m/").status_code == 503


def test_probes_do_not_care_whether_there_are_pages(client, folder):
    assert client.get("/healthz").status_code == 200
