"""How the published description is made: signature headers, errors and examples beside each call."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from frozenshop.api import schema
from frozenshop.api.authentication import BuyerAuthentication, MerchantAuthentication

View = TypeVar("View", bound=Callable[..., Any])
Shape = type[serializers.Serializer[Any]]

SIGNING = (
    "签名：string_to_sign 为 7 行，依次是方案名、方法、解码后的路径、规范化的查询串、请求体 SHA-256 的十六进制、"
    "时间戳、随机串，以换行连接；签名为 hex(HMAC-SHA256(十六进制解码后的密钥, string_to_sign))。"
    "时间戳允许早 120 秒、晚 30 秒；随机串 16–64 位，只能用一次。"
)


class BuyerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = BuyerAuthentication
    name = "buyer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": f"登录得到的 token。方案名 MP1-HMAC-SHA256。{SIGNING}",
        }


class MerchantScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = MerchantAuthentication
    name = "merchant"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        description = f"后台发放的 Key ID。方案名 MK1-HMAC-SHA256。{SIGNING}"
        return {"type": "apiKey", "in": "header", "name": "X-Key-Id", "description": description}


class SignedSchema(AutoSchema):
    """Adds the headers of the signature to every call that is signed."""

    def get_override_parameters(self) -> list[Any]:
        prefix = self._prefix()
        given: list[Any] = list(super().get_override_parameters())
        if prefix is None:
            return given
        return [
            *given,
            _header(f"{prefix}Timestamp", "Unix 秒", r"^[0-9]+$"),
            _header(f"{prefix}Nonce", "随机串，只能用一次", "^[A-Za-z0-9_-]{16,64}$"),
            _header(f"{prefix}Signature", "十六进制的 HMAC-SHA256", "^[0-9a-f]{64}$"),
        ]

    def _prefix(self) -> str | None:
        classes = self.view.authentication_classes
        if BuyerAuthentication in classes:
            return "X-MP-"
        return "X-" if MerchantAuthentication in classes else None


def described(
    summary: str,
    *,
    takes: Shape | None = None,
    gives: Shape | None = None,
    status: int = 200,
    example: Any = None,
    answer: Any = None,
    refusals: tuple[int, ...] = (),
    parameters: tuple[OpenApiParameter, ...] = (),
    operation: str | None = None,
) -> Callable[[View], View]:
    """Describe one call: what it takes and gives, with an example of each, and how it may refuse."""
    examples = []
    if example is not None:
        examples.append(OpenApiExample("请求", value=example, request_only=True))
    if answer is not None:
        examples.append(OpenApiExample("应答", value=answer, response_only=True, status_codes=[str(status)]))
    responses: dict[int, Any] = {status: gives or OpenApiResponse(description="完成，没有内容")}
    responses |= dict.fromkeys((*refusals, 400, 401, 429), schema.Error)
    return extend_schema(
        operation_id=operation,
        summary=summary,
        request=takes,
        responses=responses,
        examples=examples,
        parameters=list(parameters),
    )


def path_text(name: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.PATH, description=description)


def query(name: str, description: str, *, enum: list[str] | None = None) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.QUERY, description=description, enum=enum)


def _header(name: str, description: str, pattern: str) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.HEADER, description=description, required=True, pattern=pattern)


ORDER_NO = path_text("order_no", "订单号")
WAYBILL_NO = path_text("waybill_no", "运单号")
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER, description="重复发送时得到同样的应答，不再生效；保留 7 天"
)
