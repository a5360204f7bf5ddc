import pytest
from django.contrib.auth.models import Group, User

from frozenshop.backoffice.batches import kinds
from frozenshop.backoffice.batches.tests import doing
from frozenshop.backoffice.roles import ensure_roles
from frozenshop.backoffice.tests.conftest import lead, login, root, service, viewer

__all__ = ["lead", "login", "root", "service", "viewer"]


@pytest.fixture(autouse=True)
def _kinds(monkeypatch):
    monkeypatch.setattr(kinds, "KINDS", {**kinds.KINDS, **doing.KINDS})


@pytest.fixture
def person(db):
    """Make a member of staff of a group."""

    def make(name, role="主管"):
        ensure_roles(role)
        user = User.objects.create_user(name, password="x", is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        return User.objects.get(pk=user.pk)

    return make


@pytest.fixture
def owner(person):
    return person("owner")
