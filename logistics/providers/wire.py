"""What the wires of providers have in common: questions that are answered in JSON, and forms that pushes come in."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from frozenshop.kernel import http, strict_json
from logistics.providers import reading
from logistics.providers.base import MAX_PUSH_BYTES, Concerns, Forged, ProviderError, Unreadable


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: the value of its JSON, a note for each repeated key, and as it came."""

    content: Any
    notes: tuple[str, ...]
    raw: bytes


def ask(service: str, method: str, url: str, **sent: Any) -> Answer:
    """Put one question. Raises ProviderError where no JSON object comes back."""
    answer = ask_for_any(service, method, url, **sent)
    if not isinstance(answer.content, dict):
        raise ProviderError("答复不是 JSON 对象", concerns=Concerns.ACCOUNT)
    return answer


def ask_for_any(service: str, method: str, url: str, **sent: Any) -> Answer:
    """Put one question that may be answered by another JSON value than an object. Raises ProviderError."""
    try:
        response = http.call(service, method, url, **sent)
        content, notes = strict_json.load(response.content.decode("utf-8-sig"))
    except http.ServiceError as error:
        raise ProviderError(str(error), permanent=not error.transient, concerns=Concerns.ACCOUNT) from error
    except ValueError as error:
        raise ProviderError("答复不是 JSON", concerns=Concerns.ACCOUNT) from error
    return Answer(content, notes, response.content)


def masked(reason: str, secrets: Iterable[str]) -> str:
    """Return a provider's sentence without our secrets: some quote them in refusals."""
    for secret in filter(None, secrets):
        reason = reason.replace(secret, "***")
    return reason


def check_length(body: bytes) -> None:
    """Raises Unreadable."""
    if len(body) > MAX_PUSH_BYTES:
        raise Unreadable("超过 1 MB")


def signed_fields(body: bytes, content: str, signature: str, *, or_json: bool = True) -> dict[str, str]:
    """Return the fields of a push that is a form (or a JSON object of them, as some receive it).

    Raises Unreadable without the field `content`, Forged without `signature`.
    """
    check_length(body)
    try:
        text = body.decode()
        if or_json and text.lstrip().startswith("{"):
            envelope, _ = strict_json.load(text)
            fields = {name: reading.scalar(value) for name, value in envelope.items()}
        else:
            fields = dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=20))
    except ValueError as error:
        raise Unreadable("既不是表单也不是 JSON" if or_json else "不是表单") from error
    if not fields.get(content):
        raise Unreadable(f"没有 {content}")
    if not fields.get(signature):
        raise Forged(f"没有 {signature}")
    return fields


def decoded_once_more(text: str) -> str:
    """Undo the second form-encoding that some pushes of JSON carry."""
    return unquote_plus(text) if text[:3].upper() in ("%7B", "%5B") else text
