"""The four keys of the site inside the repository, under a passphrase that is kept apart from the repository's own.

Who has the repository and its password has a database whose consignees stay sealed; who also has this passphrase reads
them. Who has lost it, and has no other copy of the keys, has lost every consignee for good.
"""

import base64
import json
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from .errors import Failed

PURPOSE = b"frozenshop backup keys v1"
SALT_BYTES, NONCE_BYTES = 16, 12
COST = 2**16
"""scrypt takes 64 MB and some tenths of a second with it."""


def seal(keys: dict[str, str], passphrase: str) -> str:
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    sealed = _cipher(passphrase, salt).encrypt(nonce, json.dumps(keys).encode(), PURPOSE)
    return base64.b64encode(salt + nonce + sealed).decode() + "\n"


def open_sealed(text: str, passphrase: str) -> dict[str, str]:
    """Return the keys. Raises Failed where the passphrase is another, or the text was changed."""
    try:
        data = base64.b64decode(text, validate=False)
        salt, nonce = data[:SALT_BYTES], data[SALT_BYTES : SALT_BYTES + NONCE_BYTES]
        plain = _cipher(passphrase, salt).decrypt(nonce, data[SALT_BYTES + NONCE_BYTES :], PURPOSE)
    except (ValueError, InvalidTag):
        raise Failed("BACKUP_KEYS_PASSPHRASE does not open the keys of this backup") from None
    return dict(json.loads(plain))


def _cipher(passphrase: str, salt: bytes) -> AESGCM:
    return AESGCM(Scrypt(salt=salt, length=32, n=COST, r=8, p=1).derive(passphrase.encode()))


def as_environment(keys: dict[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in keys.items())
