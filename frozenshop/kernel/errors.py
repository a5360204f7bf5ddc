"""What can go wrong in a way that a caller is told: one stable code, one Chinese sentence, fields where they help."""

import datetime as dt
from collections.abc import Mapping


class Problem(Exception):
    """A refusal with a stable `code`, a sentence for people, and an HTTP status.

    Services raise it; the API, the admin and commands each show it in their own form.
    """

    code = "invalid"
    status = 400
    message = "请求有误"

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        fields: Mapping[str, str] | None = None,
        retry_after: dt.timedelta | None = None,
    ) -> None:
        self.message = message or type(self).message
        self.code = code or type(self).code
        self.fields = dict(fields or {})
        self.retry_after = retry_after
        super().__init__(self.message)


class Invalid(Problem):
    """What was sent can't be understood; `fields` names each place and the way out."""

    message = "提交的内容有误，请检查后重试"


class Unauthenticated(Problem):
    code, status, message = "unauthenticated", 401, "请先登录"


class Forbidden(Problem):
    code, status, message = "forbidden", 403, "没有权限"


class NotFound(Problem):
    code, status, message = "not_found", 404, "没有找到"


class OrderNotFound(Problem):
    """The same for an absent order and for somebody else's."""

    code, status, message = "order_not_found", 404, "没有找到这个订单"


class NotPossible(Problem):
    """Understood, but the present state doesn't allow it."""

    code, status, message = "not_possible", 409, "当前状态下不能这样操作"


class RateLimited(Problem):
    code, status, message = "rate_limited", 429, "操作太频繁，请稍后再试"


class Unavailable(Problem):
    code, status, message = "unavailable", 503, "服务暂时不可用，请稍后再试"
