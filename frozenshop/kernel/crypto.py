"""Sealed values and blind indexes: how personal data and secrets lie in the database.

A sealed value opens only for the purpose that it was sealed for, so that moving it to another row or column is found.
A blind index finds equal values without telling them. Each class of purpose ("consignee" of "consignee:FD1") has a key
of its own, derived from the keys in settings, of which the newest stands first.
"""

import base64
import binascii
import functools
import hashlib
import hmac
import os
import re
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

KEY_BYTES = 32
NONCE_BYTES = 12
INDEX_HEX_DIGITS = 32
VERSION = "v1"
_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,32}")


class SealBroken(Exception):
    """A sealed value was altered, belongs to another purpose, or its key is gone. Retrying can't help."""


class KeyMalformed(ImproperlyConfigured):
    """The keys in a setting can't be read; the message says why, and never quotes them."""


@functools.lru_cache(maxsize=16)
def parse_keys(text: str) -> Mapping[str, bytes]:
    """Read `id:base64,…` into key bytes by id, in the order given (newest first). Raises KeyMalformed."""
    keys: dict[str, bytes] = {}
    for position, part in enumerate(text.split(","), start=1):
        key_id, colon, encoded = part.strip().partition(":")
        if not colon or not _KEY_ID.fullmatch(key_id):
            raise KeyMalformed(f"第 {position} 个密钥缺少编号（编号:base64，编号为字母、数字、. _ -）")
        if key_id in keys:
            raise KeyMalformed(f"密钥编号 {key_id} 重复")
        keys[key_id] = _decode_key(key_id, encoded)
    return keys


def _decode_key(key_id: str, encoded: str) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise KeyMalformed(f"密钥 {key_id} 不是有效的 base64") from error
    if len(key) != KEY_BYTES:
        raise KeyMalformed(f"密钥 {key_id} 解码后是 {len(key)} 字节，应为 {KEY_BYTES} 字节")
    return key


def newest_encryption_key_id() -> str:
    return next(iter(parse_keys(settings.FIELD_ENCRYPTION_KEYS)))


def sealed_under(sealed: str) -> str:
    """Return the id of the key that a sealed value needs; empty where it is no sealed value."""
    parts = sealed.split("|")
    return parts[1] if len(parts) == 3 and parts[0] == VERSION else ""


def seal(plaintext: str, *, purpose: str) -> str:
    """Return `v1|key id|base64(nonce + ciphertext)`; the same text never seals to the same value twice."""
    key_id, key = next(iter(parse_keys(settings.FIELD_ENCRYPTION_KEYS).items()))
    nonce = os.urandom(NONCE_BYTES)
    ciphertext = _cipher(key, _class_of(purpose)).encrypt(nonce, plaintext.encode(), purpose.encode())
    return f"{VERSION}|{key_id}|{base64.b64encode(nonce + ciphertext).decode()}"


def open_sealed(sealed: str, *, purpose: str) -> str:
    """Return what was sealed for this very purpose. Raises SealBroken."""
    key = parse_keys(settings.FIELD_ENCRYPTION_KEYS).get(sealed_under(sealed))
    if key is None:
        raise SealBroken("sealed under an unknown key, or not a sealed value")
    try:
        data = base64.b64decode(sealed.rpartition("|")[2], validate=True)
        nonce, ciphertext = data[:NONCE_BYTES], data[NONCE_BYTES:]
        return _cipher(key, _class_of(purpose)).decrypt(nonce, ciphertext, purpose.encode()).decode()
    except (binascii.Error, ValueError, InvalidTag) as error:
        raise SealBroken("altered, or sealed for another purpose") from error


def blind_index(value: str, *, purpose: str) -> str:
    """Return the index under the newest key: 32 hex digits, stored beside the sealed value."""
    key = next(iter(parse_keys(settings.BLIND_INDEX_KEYS).values()))
    return _index(key, value, purpose)


def blind_indexes(value: str, *, purpose: str) -> list[str]:
    """Return the index under every live key, newest first: what a search asks for while keys are being rotated."""
    return [_index(key, value, purpose) for key in parse_keys(settings.BLIND_INDEX_KEYS).values()]


def _index(key: bytes, value: str, purpose: str) -> str:
    digest = hmac.digest(_derive(key, f"index:{purpose}"), value.encode(), hashlib.sha256)
    return digest.hex()[:INDEX_HEX_DIGITS]


def _class_of(purpose: str) -> str:
    return purpose.partition(":")[0]


@functools.lru_cache(maxsize=256)
def _cipher(key: bytes, purpose_class: str) -> AESGCM:
    return AESGCM(_derive(key, f"seal:{purpose_class}"))


@functools.lru_cache(maxsize=256)
def _derive(key: bytes, info: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=f"frozenshop {info}".encode()).derive(key)
