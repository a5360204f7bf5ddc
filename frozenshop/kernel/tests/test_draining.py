"""Before web stops it is unready and still serves; nginx is given back what it may send to another."""

import pytest

from frozenshop.kernel.draining import FLAG


@pytest.fixture
def draining(settings, tmp_path):
    settings.VAR_DIR = tmp_path
    (tmp_path / FLAG).touch()


@pytest.mark.django_db
def test_who_drains_is_not_ready_and_alive(client, draining):
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["draining"])
    assert client.get("/healthz").status_code == 200


def test_who_drains_gives_back_what_may_be_asked_of_another(client, draining):
    assert client.get("/healthz", headers={"X-May-Retry": "1"}).status_code == 502
    assert client.head("/healthz", headers={"X-May-Retry": "1"}).status_code == 502


def test_who_drains_serves_what_must_not_be_sent_twice(client, draining):
    assert client.post("/healthz", headers={"X-May-Retry": "1"}).status_code == 200


def test_who_does_not_drain_serves_all(client, settings, tmp_path):
    settings.VAR_DIR = tmp_path
    assert client.get("/healthz", headers={"X-May-Retry": "1"}).status_code == 200
