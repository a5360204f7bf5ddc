"""WeChat's message push: its signatures, its encryption, and reading what it says, in JSON or XML.

Source: the page 消息推送, 2026. The padding is PKCS#7 in blocks of 32 bytes, not of AES's 16.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
import struct
from typing import Any
from xml.parsers import expat

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from frozenshop.kernel import strict_json

_HALF = re.compile(r"\\u[dD][89a-fA-F]")
RANDOM_BYTES, LENGTH_BYTES, BLOCK_BITS = 16, 4, 256


class Forged(Exception):
    """Not from WeChat, or not meant for us: wrong signature, key or account, or said before."""


class Unreadable(Exception):
    """From WeChat, but no message."""


def sign(token: str, *parts: str) -> str:
    """Return the signature: of timestamp and nonce, in the safe mode of the encrypted text too."""
    joined = "".join(sorted((token, *parts)))
    return hashlib.sha1(joined.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def is_signed(signature: str, token: str, *parts: str) -> bool:
    """Compare in constant time. An empty token signs nothing."""
    expected = sign(token, *parts).encode()
    return bool(token) and hmac.compare_digest(expected, signature.encode("utf-8", "surrogatepass"))


def decrypt(sealed: str, aes_key: str) -> tuple[str, str]:
    """Return the message and the appid that it is for. Raises Forged."""
    try:
        key = base64.b64decode(aes_key + "=", validate=True)
        decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
        padded = decryptor.update(base64.b64decode(sealed, validate=True)) + decryptor.finalize()
        unpadder = PKCS7(BLOCK_BITS).unpadder()
        content = unpadder.update(padded) + unpadder.finalize()
        start = RANDOM_BYTES + LENGTH_BYTES
        (length,) = struct.unpack(">I", content[RANDOM_BYTES:start])
        return content[start : start + length].decode(), content[start + length :].decode()
    except (binascii.Error, ValueError, struct.error) as error:
        raise Forged("解密失败：EncodingAESKey 不一致") from error


def read(text: str) -> dict[str, Any]:
    """Return a message's fields, whether it is JSON or XML. Raises Unreadable."""
    text = text.strip().removeprefix("\ufeff").strip()
    if text.startswith("<"):
        return _read_xml(text)
    try:
        found, _ = strict_json.load(text)
    except ValueError as error:
        raise Unreadable("不是 JSON 也不是 XML") from error
    if not isinstance(found, dict):
        raise Unreadable("不是 JSON 对象")
    if _HALF.search(text):
        _check_whole(found)
    return found


def _check_whole(found: dict[str, Any]) -> None:
    """Refuse half a character, which no row can keep. Raises Unreadable."""
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise Unreadable("有不完整的字符") from error


class _Tree:
    """Builds nested dicts; an element that is repeated becomes a list. No document type, and so no entity, is read."""

    def __init__(self) -> None:
        self.root: dict[str, Any] = {}
        self._open: list[tuple[str, dict[str, Any], list[str]]] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= strict_json.MAX_DEPTH:
            raise Unreadable("XML 嵌套过深")
        self._open.append((name, {}, []))

    def text(self, text: str) -> None:
        if self._open:
            self._open[-1][2].append(text)

    def end(self, _: str) -> None:
        name, children, texts = self._open.pop()
        value: Any = children or "".join(texts).strip()
        parent = self._open[-1][1] if self._open else self.root
        if name not in parent:
            parent[name] = value
        elif isinstance(parent[name], list):
            parent[name].append(value)
        else:
            parent[name] = [parent[name], value]

    def document_type(self, *_: Any) -> None:
        raise Unreadable("XML 中不能有 DOCTYPE")


def _read_xml(text: str) -> dict[str, Any]:
    tree = _Tree()
    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler, parser.EndElementHandler = tree.start, tree.end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = tree.text, tree.document_type
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        raise Unreadable("XML 无法解析") from error
    found = tree.root.get("xml")
    if not isinstance(found, dict):
        raise Unreadable("没有 <xml>")
    return found
