"""WeChat's error codes, by what can be done about them. `errmsg` is never matched on: its wording changes."""

INVALID_CODE = frozenset({40029, 40163})  # unknown, expired, of another mini-program; used before
RISKY_USER = 40226
STALE_TOKEN = frozenset({40001, 40014, 42001})
TOO_OFTEN = 45011  # this minute; 45009 is the whole day
# -1: WeChat itself is busy. Address confirmations and quotas pass with time, but not within a call.
TRANSIENT = frozenset({-1, TOO_OFTEN, 45009, 89503, 89506, 89507}) | STALE_TOKEN


class WechatError(Exception):
    """WeChat answered with an error. `permanent`: wrong settings or a bug, which asking again can't cure.

    `rid` is what WeChat's support asks for. Holds neither tokens nor codes.
    """

    def __init__(self, errcode: int, *, path: str, rid: str = "") -> None:
        self.errcode, self.path, self.rid = errcode, path, rid
        super().__init__(f"{path}: errcode {errcode}" + (f" rid {rid}" if rid else ""))

    @property
    def permanent(self) -> bool:
        return self.errcode not in TRANSIENT
