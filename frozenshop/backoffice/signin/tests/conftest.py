import base64

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.contrib.auth.models import User
from django.test import Client

from frozenshop.backoffice.signin import totp
from frozenshop.backoffice.signin.models import Authenticator
from frozenshop.backoffice.tests.conftest import login, root, service
from frozenshop.kernel import clock
from logistics.tests.conftest import frozen

__all__ = ["frozen", "login", "root", "service"]

PASSWORD = "a long enough one"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture
def wang(db: None) -> User:
    return User.objects.create_user("wang", password=PASSWORD, is_staff=True, is_superuser=True)


@pytest.fixture
def app(wang: User) -> Authenticator:
    """Wang's authenticator app."""
    return totp.add(wang, SECRET, 0)


def sign_in(client: Client, username: str = "wang", password: str = PASSWORD, **extra):
    return client.post("/admin/login/?next=/admin/batch/", {"username": username, "password": password}, **extra)


def code_now(steps: int = 0) -> str:
    at = int(clock.now().timestamp()) + steps * totp.STEP_SECONDS
    return TOTP(base64.b32decode(SECRET), 6, SHA1(), totp.STEP_SECONDS).generate(at).decode()
