"""What doctor and `/readyz` say of the providers."""

from collections.abc import Iterator

from frozenshop.kernel.clock import shanghai
from frozenshop.kernel.health import Finding
from logistics import costs


def providers() -> Iterator[Finding]:
    """Name the providers that aren't asked at present; parcels go on to the next one, where a carrier has one."""
    for cap in costs.caps():
        if cap.open and cap.state.open_until:
            until = f"{shanghai(cap.state.open_until):%H:%M}"
            yield Finding("provider", f"{cap.label}已熔断，{until} 再试：{cap.state.last_error or '连续出错'}")
        if cap.reached:
            yield Finding("provider", f"{cap.label}今日 {cap.used} 次查询已用完，零点恢复")
