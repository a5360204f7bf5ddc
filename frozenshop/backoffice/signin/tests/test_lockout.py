"""Guessing is slow, tells nothing, and locks nobody out but who guesses."""

import re
import threading

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from frozenshop.backoffice.signin import lockout
from frozenshop.backoffice.signin.lockout import Kind, Scope
from frozenshop.backoffice.signin.models import SignInAttempts
from frozenshop.backoffice.signin.tests.conftest import sign_in
from frozenshop.kernel.models import AuditEntry

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]


def words(answer) -> str:
    return " ".join(error for errors in answer.context["form"].errors.values() for error in errors)


def guess(times: int, username: str = "wang", client: Client | None = None, **extra) -> str:
    answers = [sign_in(client or Client(), username, "wrong", **extra) for _ in range(times)]
    return words(answers[-1])


def test_five_wrong_passwords_close_the_account_from_there(client, wang):
    guess(5)
    assert words(sign_in(client)) == lockout.LOCKED


def test_it_opens_again_by_itself(client, wang, frozen):
    guess(5)
    frozen.shift(15 * 60)
    assert sign_in(client).status_code == 302


def test_what_is_refused_does_not_prolong_the_wait(client, wang, frozen):
    guess(5)
    frozen.shift(14 * 60)
    guess(20)
    frozen.shift(60)
    assert sign_in(client).status_code == 302


def test_from_elsewhere_the_account_stays_open(client, wang):
    guess(30, REMOTE_ADDR="203.0.113.9")
    assert sign_in(client).status_code == 302


def test_whether_there_is_such_an_account_is_not_told(wang):
    User.objects.create_user("buyer", password="x")
    User.objects.create_user("gone", password="x", is_staff=True, is_active=False)
    said = [[guess(1, name, REMOTE_ADDR=f"203.0.113.{at}") for _ in range(6)] for at, name in
            enumerate(("wang", "buyer", "gone", "nobody at all"))]  # fmt: skip
    assert said == [[lockout.WRONG] * 5 + [lockout.LOCKED]] * 4


def test_the_same_is_asked_of_the_database_whether_there_is_such_an_account(wang):
    def asked(name: str) -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            guess(1, name)
        asked = [re.split(" WHERE | VALUES ", one["sql"])[0] for one in captured.captured_queries]
        return [re.sub(r"SAVEPOINT \S+", "SAVEPOINT", one) for one in asked]

    guess(1, "the first from this address")
    assert asked("wang") == asked("nobody at all")


def test_the_right_password_of_an_inactive_account_says_the_same(client):
    User.objects.create_user("gone", password="x", is_staff=True, is_active=False)
    assert words(sign_in(client, "gone", "x")) == lockout.WRONG


def test_many_names_from_one_address_close_the_address(client, wang):
    for number in range(30):
        guess(1, f"name{number}")
    assert words(sign_in(client)) == lockout.LOCKED


def test_a_browser_the_person_has_used_before_stays_open_when_the_address_is_closed(client, wang):
    """As behind a proxy that nobody declared: an attacker and the whole shop share one address."""
    sign_in(client)
    client.post("/admin/logout/")
    for number in range(30):
        guess(1, f"name{number}")
    guess(6)
    assert sign_in(client).status_code == 302


def test_such_a_browser_has_five_guesses_as_well(client, wang):
    sign_in(client)
    client.post("/admin/logout/")
    assert guess(6, client=client) == lockout.LOCKED


def test_success_takes_back_what_it_was_counted_for(client, wang):
    guess(4)
    sign_in(client)
    assert guess(5) == lockout.WRONG


@pytest.mark.parametrize("spelling", ["WANG", "wáng", "wan\u0261", "wang\u200b"])
def test_another_spelling_is_another_name_and_tells_nothing_of_the_account(wang, spelling):
    """MariaDB takes some of these for the same."""
    assert sign_in(Client(), spelling).status_code == 200
    other = spelling.replace("g", "q").replace("G", "Q").replace("\u0261", "Q")
    said = [
        [guess(3, one, REMOTE_ADDR=address), guess(3, two, REMOTE_ADDR=address), guess(3, one, REMOTE_ADDR=address)]
        for address, one, two in (("203.0.113.1", spelling, "wang"), ("203.0.113.2", other, "wanq"))
    ]
    assert said[0] == said[1] == [lockout.WRONG, lockout.WRONG, lockout.LOCKED]


def test_what_was_typed_as_a_name_is_not_kept(wang):
    guess(1, "my-password-by-mistake")
    assert set(SignInAttempts.objects.values_list("account", flat=True)) == {""}


def test_locking_is_on_record_once(wang):
    guess(9)
    entry = AuditEntry.objects.get(action="signin.locked")
    assert (entry.subject, entry.details) == (f"staff:{wang.pk}", {"scope": "account", "step": "password"})


def test_an_administrator_lets_in_before_the_time_on_record(login, client, wang):
    guess(5)
    rows = list(SignInAttempts.objects.values_list("pk", flat=True))
    login("管理员").post("/admin/backoffice/signinattempts/", {"action": "unlock", "_selected_action": rows})
    assert sign_in(client).status_code == 302
    assert AuditEntry.objects.filter(action="signin.unlocked").count() == len(rows)


def test_no_password_twice_as_long_is_hashed(client, wang, monkeypatch):
    guess(5)
    monkeypatch.setattr(User, "check_password", lambda *_: pytest.fail("a closed account is not tried"))
    sign_in(client)


@pytest.mark.django_db(transaction=True)
def test_many_at_once_get_no_more_tries_than_one_after_another():
    scope, allowed = Scope(Kind.ACCOUNT, "x"), []

    def attempt() -> None:
        try:
            allowed.append(lockout.take(scope))
        finally:
            connection.close()

    threads = [threading.Thread(target=attempt) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(allowed) == [False] * 7 + [True] * 5


def test_counts_are_forgotten_after_their_time(frozen, wang):
    guess(1)
    assert lockout.purge() == 0
    frozen.shift(15 * 60)
    assert lockout.purge() == 2
