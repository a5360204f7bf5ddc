"""What a dry run finds: each in one row and column, of a kind that can be counted. No cell is quoted but numbers."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from frozenshop.backoffice.importing.fields import LABELS

KINDS: Mapping[str, tuple[str, bool]] = MappingProxyType(
    {
        "cell": ("填写有误", True),
        "phone_for_sf": ("顺丰缺手机号", True),
        "formula": ("公式", True),
        "rewritten": ("数字被表格软件改写", True),
        "duplicate_row": ("重复的行", True),
        "duplicate_waybill": ("运单号重复", True),
        "unknown_order": ("没有这个订单", True),
        "unknown_carrier": ("承运商不明", True),
        "wrong_carrier": ("承运商与单号不符", True),
        "already_shipped": ("已发货", True),
        "not_paid": ("还没有付款", True),
        "closed": ("已取消、退款或退回", True),
        "refund": ("退款处理中", True),
        "scanned": ("承运商已扫描", True),
        "unknown_waybill": ("没有这个运单", True),
        "archived": ("已归档", True),
        "shared_box": ("合并发货", False),
        "phone_unusable": ("查不了轨迹", False),
        "unpaid_parcel": ("未付款已发货", False),
        "update": ("更新已有订单", False),
        "same": ("没有变化", False),
    }
)
"""Each kind with its name, and whether it keeps the row out."""


@dataclass(frozen=True, slots=True)
class Finding:
    row: int
    column: str
    kind: str
    sentence: str

    @property
    def blocks(self) -> bool:
        return KINDS[self.kind][1]

    @property
    def kind_label(self) -> str:
        return KINDS[self.kind][0]

    @property
    def column_label(self) -> str:
        return LABELS.get(self.column, self.column)

    def __str__(self) -> str:
        return f"第 {self.row} 行，{self.column_label}：{self.sentence}"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def of_cell(row: int, column: str, reason: str) -> Finding:
    """Return what a refused cell is, told by its sentence."""
    kind = "formula" if reason.startswith("是公式") else "rewritten" if "表格软件" in reason else "cell"
    return Finding(row, column, kind, reason)
