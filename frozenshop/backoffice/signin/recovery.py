"""Recovery codes: ten of eighty bits, shown once, kept as keyed hashes, each good for one way in."""

import base64
import os
from typing import Any

from django.db import transaction

from frozenshop.backoffice.signin.models import RecoveryCode
from frozenshop.kernel import clock, crypto

HOW_MANY = 10
CODE_BYTES = 10


def make(user: Any) -> list[str]:
    """Replace all codes of a person; return the new ones, which nobody can read again."""
    codes = [_new() for _ in range(HOW_MANY)]
    with transaction.atomic():
        RecoveryCode.objects.filter(user=user).delete()
        RecoveryCode.objects.bulk_create(RecoveryCode(user=user, code_hash=_hashes(user, code)[0]) for code in codes)
    return codes


def use(user: Any, code: str) -> bool:
    """Use a code up; False if it is none of theirs, or was used."""
    unused = RecoveryCode.objects.filter(user=user, code_hash__in=_hashes(user, code), used_at=None)
    return unused.update(used_at=clock.now()) == 1


def left(user: Any) -> int:
    return RecoveryCode.objects.filter(user=user, used_at=None).count()


def _new() -> str:
    text = base64.b32encode(os.urandom(CODE_BYTES)).decode().lower()
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def _hashes(user: Any, code: str) -> list[str]:
    """Return the hash under every live key, newest first. Codes of so many bits need no slow hash."""
    bare = "".join(character for character in code.lower() if character.isalnum())
    return crypto.blind_indexes(f"{user.pk}:{bare}", purpose="recovery-code")
