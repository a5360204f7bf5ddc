"""Labels of collected sentences in our words, and how well the reading does on labelled sentences."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from logistics.models import ShipmentStatus as S

# Chinese labels are coarser than our words: each of the given statuses is right.
LABELS: Mapping[str, tuple[str, ...]] = {
    "揽收": (S.PICKED_UP,),
    "在途": (S.IN_TRANSIT,),
    "到达": (S.IN_TRANSIT,),
    "派送": (S.OUT_FOR_DELIVERY,),
    "签收": (S.DELIVERED,),
    "代收": (S.AWAITING_PICKUP,),
    "问题件": (S.EXCEPTION, S.DELIVERY_FAILED),
    "退回": (S.RETURNING, S.RETURNED, S.FORWARDED),
    "清关": (S.CUSTOMS,),
}


def statuses(label: str) -> tuple[str, ...]:
    """Return our statuses for a label: Chinese or our own words, several divided by a slash."""
    parts = (part for part in label.split("/") if part)
    return tuple(status for part in parts for status in LABELS.get(part, (part,)))


@dataclass(slots=True)
class Score:
    """How many sentences there were, how many of them were read, and how many of those rightly; by carrier."""

    asked: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)

    def add(self, carrier: str, label: str, status: str) -> None:
        for name in (carrier or "-", "全部"):
            self.asked[name] += 1
            self.answered[name] += bool(status)
            self.right[name] += status in statuses(label) and bool(status)

    def lines(self) -> Iterable[str]:
        """Return a Markdown table, the whole last."""
        yield "| carrier | sentences | abstained | right where answered |"
        yield "|---|---|---|---|"
        for name in sorted(self.asked, key=lambda name: (name == "全部", -self.asked[name], name)):
            asked, answered, right = self.asked[name], self.answered[name], self.right[name]
            share = f"{right / answered:.1%}" if answered else "–"
            silent = f"{asked - answered} ({1 - answered / asked:.0%})"
            yield f"| {name} | {asked} | {silent} | {right}/{answered} ({share}) |"
