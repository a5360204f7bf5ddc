"""How signing in goes, counted."""

from prometheus_client import Counter

SIGN_INS = Counter(
    "frozenshop_staff_sign_ins_total",
    "Attempts of staff to sign in, by step and how they ended",
    ["step", "outcome"],
)


def count(step: str, outcome: str) -> None:
    """`step` is password, factor or again; `outcome` ok, wrong, refused, or locked where a wrong one closed a scope."""
    SIGN_INS.labels(step, outcome).inc()
