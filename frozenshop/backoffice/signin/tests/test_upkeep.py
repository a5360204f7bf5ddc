"""What the program says and does about signing in by itself."""

import pytest

from frozenshop.backoffice import rotation
from frozenshop.backoffice.signin import checks, totp
from frozenshop.backoffice.signin.tests.conftest import code_now
from frozenshop.kernel import crypto


@pytest.mark.parametrize(("mode", "said"), [("off", ["W035"]), ("optional", ["W035"]), ("required", [])])
def test_production_is_told_where_a_password_alone_will_do(settings, mode, said):
    settings.STAFF_SECOND_FACTOR = mode
    assert [one.id.rpartition(".")[2] for one in checks.check_second_factor(None)] == said


def test_where_browsers_give_no_keys_it_is_said(settings):
    settings.STAFF_SECOND_FACTOR, settings.PUBLIC_URL = "required", "https://192.0.2.7"
    assert [one.id for one in checks.check_second_factor(None)] == ["frozenshop.I035"]


@pytest.mark.django_db
def test_secrets_come_under_the_newest_key_and_still_open(app, settings, frozen):
    settings.FIELD_ENCRYPTION_KEYS = f"t2:{'QUJD' * 10}QUI=,{settings.FIELD_ENCRYPTION_KEYS}"
    list(rotation.rotate())
    app.refresh_from_db()
    assert crypto.sealed_under(app.secret_sealed) == "t2"
    assert totp.use(app, code_now())
