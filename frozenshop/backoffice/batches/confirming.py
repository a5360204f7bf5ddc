"""A preview's confirmation counts once, however often its button is pressed."""

import secrets
from collections.abc import Callable

from django.contrib.auth.models import AbstractBaseUser
from django.core import signing
from django.db import IntegrityError, transaction

from frozenshop.backoffice.batches.models import Batch
from frozenshop.kernel import clock
from frozenshop.kernel.errors import NotPossible
from frozenshop.kernel.models import IdempotencyKey

LIFE_SECONDS = 24 * 60 * 60
"""Shorter than the key is kept for (`idempotency.KEPT`): no preview can be confirmed again once it is forgotten."""
_SALT = "backoffice.batches.confirming"


class _PressedTwiceError(Exception):
    """The key is there."""


def token(user: AbstractBaseUser) -> str:
    """Return what a preview for this person hands out, to come back with its confirmation."""
    return signing.dumps([user.pk, secrets.token_urlsafe(12)], salt=_SALT)


def once(user: AbstractBaseUser, token: str, begin: Callable[[], Batch]) -> Batch:
    """Return the batch that `begin` starts, or the one that this preview's confirmation has started before.

    `begin` runs in the transaction that uses the token up; a twin waits for its end. Raises NotPossible for what no
    preview of this person has handed out within a day.
    """
    key, scope = _key(user, token), f"batch:{user.pk}"
    try:
        with transaction.atomic():
            try:
                with transaction.atomic():
                    used = IdempotencyKey.objects.create(scope=scope, key=key, created_at=clock.now())
            except IntegrityError as error:
                raise _PressedTwiceError from error
            batch = begin()
            IdempotencyKey.objects.filter(pk=used.pk).update(response_status=302, response_body=str(batch.pk))
            return batch
    except _PressedTwiceError:
        return Batch.objects.get(pk=IdempotencyKey.objects.get(scope=scope, key=key).response_body)


def _key(user: AbstractBaseUser, token: str) -> str:
    try:
        owner, key = signing.loads(token, salt=_SALT, max_age=LIFE_SECONDS)
    except signing.BadSignature:
        owner, key = None, ""
    if owner != user.pk:
        raise NotPossible("预览已经过期，请重新预览后再确认")
    return str(key)
