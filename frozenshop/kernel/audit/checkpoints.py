"""Checkpoints: signed statements of how long the chain is and how it ends, to be kept where nobody of ours can write.

The signature is Ed25519: who keeps checkpoints can check them by the public key, and can't make any. The private key is
derived from `AUDIT_KEY`, so that there is no further secret to keep. Those of earlier releases bear an HMAC instead.
"""

import base64
import functools
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from frozenshop.kernel import clock
from frozenshop.kernel.audit.chain import encode, mac

EARLIER = {"count", "head", "at", "signature"}
SIGNED = {*EARLIER, "key"}
PATTERN = "audit-*.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The chain had `count` seals, the last one with the digest `head`, at the instant `at`. `name`: its file."""

    count: int
    head: str
    at: str
    name: str = ""


def write_checkpoint(count: int, head: str) -> str:
    """Return the signed statement, as a file's text."""
    content = {"count": count, "head": head, "at": clock.now().isoformat(), "key": public_key()}
    return json.dumps({**content, "signature": _private_key().sign(_signed_text(content)).hex()}, indent=2) + "\n"


def read_checkpoint(text: str, name: str = "") -> Checkpoint:
    """Return the checkpoint that `write_checkpoint` wrote. Raises ValueError if it is not one, or was changed.

    It is taken as it stands in the log, too: as one word of base64.
    """
    content = json.loads(text if text.lstrip()[:1] in ("{", "[") else base64.urlsafe_b64decode(text.strip()))
    if not isinstance(content, dict) or {*content} not in (EARLIER, SIGNED):
        raise ValueError("不是审计检查点文件")
    signature = str(content.pop("signature"))
    genuine = _is_signed(content, signature) if "key" in content else _is_of_earlier(content, signature)
    if not genuine:
        raise ValueError("检查点文件的签名不正确")
    return Checkpoint(int(content["count"]), str(content["head"]), str(content["at"]), name)


def read_all(path: Path) -> list[Checkpoint]:
    """Return the checkpoint of a file, or all of a folder. Raises OSError; ValueError naming the file that is bad."""
    files = sorted(path.glob(PATTERN)) if path.is_dir() else [path]
    return [_read(file) for file in files]


def newest_of(checkpoints: Iterable[Checkpoint]) -> Checkpoint | None:
    return max(checkpoints, key=lambda one: one.count, default=None)


def public_key() -> str:
    """Return what checks the signatures, as 64 hexadecimal digits: for auditors to keep. It is no secret."""
    return _private_key().public_key().public_bytes_raw().hex()


def _read(file: Path) -> Checkpoint:
    text = file.read_text(encoding="utf-8")
    try:
        return read_checkpoint(text, file.name)
    except ValueError as error:
        raise ValueError(f"{file}：{error}") from error


def _is_signed(content: Mapping[str, Any], signature: str) -> bool:
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key()))
    try:
        key.verify(bytes.fromhex(signature), _signed_text(content))
    except (InvalidSignature, ValueError):
        return False
    return str(content["key"]) == public_key()


def _is_of_earlier(content: Mapping[str, Any], signature: str) -> bool:
    return hmac.compare_digest(mac("checkpoint", content).encode(), signature.encode())


def _signed_text(content: Mapping[str, Any]) -> bytes:
    return encode(["checkpoint", content]).encode()


def _private_key() -> Ed25519PrivateKey:
    return _derived(settings.AUDIT_KEY)


@functools.cache
def _derived(secret: str) -> Ed25519PrivateKey:
    derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"frozenshop audit checkpoint")
    return Ed25519PrivateKey.from_private_bytes(derivation.derive(secret.encode()))
