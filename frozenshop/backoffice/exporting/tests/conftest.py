import pytest

from frozenshop.backoffice.batches.tests.conftest import owner, person
from frozenshop.backoffice.tests.conftest import login, viewer
from logistics.tests.conftest import frozen

__all__ = ["frozen", "login", "owner", "person", "viewer"]


@pytest.fixture
def second(person):
    return person("second")
