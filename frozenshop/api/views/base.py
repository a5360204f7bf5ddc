"""What all views of programs share: bounded bodies, one way to answer, one shape of errors."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from frozenshop.api.authentication import BuyerAuthentication, Merchant, MerchantAuthentication
from frozenshop.api.bodies import BUYER_BYTES, MERCHANT_BYTES, check_length
from frozenshop.api.sessions import Buyer
from frozenshop.kernel import replica
from frozenshop.kernel.actor import Actor, Source
from frozenshop.kernel.errors import Forbidden

T = TypeVar("T")


class JsonView(APIView):
    """A view without what DRF does for browsers: no negotiation, no versions, no OPTIONS."""

    body_bytes = BUYER_BYTES
    authentication_classes: Sequence[type[BaseAuthentication]] = ()
    http_method_names = ["get", "head", "post"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        check_length(request._request, self.body_bytes)
        self.perform_authentication(request)
        self.check_permissions(request)


class BuyerView(JsonView):
    """For a buyer's signed request; `self.buyer` is who signed it. Only what passes `may_be_stale` may be stale."""

    authentication_classes = (BuyerAuthentication,)
    only_reads: frozenset[str] = frozenset({"GET", "HEAD"})
    writes = False

    def wanted(self) -> list[str]:
        """Return keys of the cache that are fetched together with the session."""
        return []

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [BuyerAuthentication(self.wanted())]

    @property
    def fetched(self) -> dict[str, Any]:
        return cast(BuyerAuthentication, self.request.successful_authenticator).fetched

    @property
    def buyer(self) -> Buyer:
        return cast(Buyer, self.request.user)

    def may_be_stale(self, read: Callable[[], T]) -> T:
        """Ask what may be a little old, but not older than what this session has done itself."""
        return replica.read(read, self.buyer.token_digest, fetched=self.fetched)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.writes = request.method not in self.only_reads

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Response:
        if self.writes:
            replica.wrote(self.buyer.token_digest)
        return super().finalize_response(request, response, *args, **kwargs)

    @property
    def actor(self) -> Actor:
        return Actor(Source.BUYER, f"customer:{self.buyer.customer_id}")


class MerchantView(JsonView):
    """For a shop system's signed request; `scopes` says what its key must have, by method."""

    authentication_classes = (MerchantAuthentication,)
    body_bytes = MERCHANT_BYTES
    scopes: dict[str, str] = {}

    def check_permissions(self, request: Request) -> None:
        needed = self.scopes.get("GET" if request.method == "HEAD" else request.method or "")
        if needed and needed not in self.merchant.scopes:
            raise Forbidden(f"密钥没有权限 {needed}")

    @property
    def merchant(self) -> Merchant:
        return cast(Merchant, self.request.user)

    @property
    def actor(self) -> Actor:
        return Actor(Source.SHOP, f"key:{self.merchant.key.key_id}")
