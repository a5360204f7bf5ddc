"""What the mini-program signs is what the server checks: its own code, in Node, against ours."""

import json
import os
import random
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.test import Client, RequestFactory

from frozenshop.api.authentication import MP1, _verify
from frozenshop.api.tests.client import code_of, log_in
from frozenshop.kernel import signing
from orders.tests.factories import make_customer

HERE = Path(settings.BASE_DIR, "miniprogram")
ESBUILD = HERE / "node_modules/.bin/esbuild"
BUNDLED = ("--bundle", "--platform=node", "--format=cjs", "--log-level=warning", "--alias:@=./src")
SECRET = "0123456789abcdef" * 4
REQUESTS = 10_000


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mini-program's signing as one script that Node runs."""
    if shutil.which("node") is None or not ESBUILD.exists():
        sentence = "Node.js, or what `make miniprogram` installs, is absent: the mini-program's signing is not checked"
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(sentence)
        pytest.skip(sentence)
    script = tmp_path_factory.mktemp("miniprogram") / "requests.cjs"
    command = [ESBUILD, "tests/random-requests.ts", *BUNDLED, "--define:import.meta.env={}", f"--outfile={script}"]
    subprocess.run(command, cwd=HERE, check=True, timeout=60)
    return script


def requests_of(program: Path, count: int, *, token: str, secret: str) -> list[dict[str, Any]]:
    seed = random.randrange(2**31)
    print(f"seed {seed}")  # shown where a test fails
    done = subprocess.run(
        ["node", program, str(seed), str(count), token, secret], capture_output=True, check=True, timeout=60
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def as_it_arrives(sent: dict[str, Any]) -> WSGIRequest:
    body = sent.get("body", "").encode()
    return RequestFactory().generic(sent["method"], sent["url"], body, "application/json", headers=sent["headers"])


def test_the_vectors_of_the_mini_program_are_ours():
    ours = Path(signing.__file__).parent / "tests/fixtures/request_signing.json"
    theirs = HERE / "tests/fixtures/request_signing.json"
    assert json.loads(theirs.read_text()) == json.loads(ours.read_text())


def test_ten_thousand_random_requests_are_understood_as_they_were_meant(program):
    sent = requests_of(program, REQUESTS, token="t", secret=SECRET)
    assert len(sent) == REQUESTS
    for one in sent:
        request = as_it_arrives(one)
        assert _verify(request, MP1, [SECRET])[1] == one["headers"]["X-MP-Nonce"]
        assert request.path_info == one["meant"]["path"]
        understood = [(name, value) for name, values in request.GET.lists() for value in values]
        assert Counter(understood) == Counter(map(tuple, one["meant"]["query"]))
    assert len({one["headers"]["X-MP-Nonce"] for one in sent}) == REQUESTS


def test_random_requests_hold_what_is_odd(program):
    """Otherwise the test above would prove little."""
    sent = requests_of(program, 2000, token="t", secret=SECRET)
    addresses = "\n".join(one["url"] for one in sent)
    assert {one["method"] for one in sent} == {"GET", "POST", "PUT"}
    for odd in ("%2B", "%25", "%20", "%00", "%0A", "%2F", "%F0%9F", "%EE%80", "%EF%BF%BD", "=&", "&q="):
        assert odd in addresses, odd
    assert any(not one["url"].isascii() or "body" in one for one in sent)
    assert any(one.get("body", "").encode() != ascii(one.get("body", ""))[1:-1].encode() for one in sent)


def test_a_single_change_of_any_part_is_noticed(program):
    (one,) = requests_of(program, 1, token="t", secret=SECRET)
    for changed in (
        one | {"method": "PUT" if one["method"] != "PUT" else "POST"},
        one | {"url": one["url"].replace("/api/", "/api/x", 1)},
        one | {"url": one["url"] + ("&" if "?" in one["url"] else "?") + "x=1"},
        one | {"body": one.get("body", "") + " "},
    ):
        with pytest.raises(signing.SignatureInvalid):
            _verify(as_it_arrives(changed), MP1, [SECRET])


@pytest.mark.django_db
def test_the_whole_server_lets_them_in(program):
    buyer = log_in(make_customer())
    token = buyer.identity["Authorization"].removeprefix("Bearer ")
    client = Client(raise_request_exception=False)
    for one in requests_of(program, 150, token=token, secret=buyer.secret):
        body = one.get("body", "").encode()
        answer = client.generic(one["method"], one["url"], body, "application/json", headers=one["headers"])
        assert answer.status_code < 500
        assert answer.status_code < 400 or code_of(answer)[0] != 401, one
