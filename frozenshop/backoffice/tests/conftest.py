from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from frozenshop.backoffice.roles import ensure_roles
from frozenshop.backoffice.signin import recent, sessions
from frozenshop.kernel import clock

Login = Callable[..., Client]


def proved_now(client: Client) -> None:
    """As after giving the password: what asks for it again doesn't for a while."""
    session = client.session
    session[recent.PROVED_AT] = clock.now().timestamp()
    sessions.mark(session)
    session.save()


@pytest.fixture
def login(db) -> Login:
    """Log a member of staff in: of a group, with every right, or (no argument) with none."""

    def make(role: str | None = None, *, superuser: bool = False) -> Client:
        name = role or ("root" if superuser else "nobody")
        user = User.objects.create_user(name, password="x", is_staff=True, is_superuser=superuser)
        if role:
            ensure_roles(role)
            user.groups.add(Group.objects.get(name=role))
        client = Client()
        client.force_login(user)
        proved_now(client)
        return client

    return make


@pytest.fixture
def lead(login: Login) -> Client:
    return login("主管")


@pytest.fixture
def service(login: Login) -> Client:
    return login("客服")


@pytest.fixture
def root(login: Login) -> Client:
    return login(superuser=True)


@pytest.fixture
def viewer(login: Login) -> Client:
    return login("查看")
