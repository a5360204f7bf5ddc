"""While the database is away, staff read a sentence, and no more is said than that."""

import pytest
from django.db import OperationalError

from frozenshop.backoffice.dashboard import page as dashboard


@pytest.mark.django_db
def test_staff_are_told_that_it_passes(login, monkeypatch):
    def away(request):
        raise OperationalError(2006, "Server has gone away")

    client = login("客服")
    client.raise_request_exception = False
    monkeypatch.setattr(dashboard, "context", away)
    answer = client.get("/admin/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "服务暂时不可用" in answer.content.decode()
    assert "gone away" not in answer.content.decode()


@pytest.mark.django_db
def test_a_fault_of_ours_stays_one(login, monkeypatch):
    def broken(request):
        raise ZeroDivisionError

    client = login("客服")
    client.raise_request_exception = False
    monkeypatch.setattr(dashboard, "context", broken)
    assert client.get("/admin/").status_code == 500
