"""Whether the canary does as well as the stable version, by what Prometheus has counted of both."""

import json
import math
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Literal

from deploy.release.ingress import Ingress

ANSWER_SECONDS = 5
PAGES = 'route!~"/(metrics|healthz|readyz)"'
"""What buyers, shops and services ask for; probes would make it look quieter than it is."""
FEW = 3
"""So many bad ones are no accident."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is borne. Shares are of all requests or tasks; the canary may have `times` as many as the stable version.

    `gone_seconds` must hold two or three scrapes.
    """

    requests: int = 100
    errors: float = 0.01
    p99_seconds: float = 1.0
    failed_tasks: float = 0.05
    times: float = 2.0
    window_seconds: float = 60
    gone_seconds: float = 45


@dataclass(frozen=True, slots=True)
class Verdict:
    """`unknown`: too few requests, or Prometheus is away. Nothing is decided by it but to wait."""

    word: Literal["good", "bad", "unknown"]
    reason: str


class Unknown(Exception):
    """Prometheus didn't say."""


class Judge:
    """Looks back to `since`, when the canary was ready, and at most `window_seconds`."""

    def __init__(self, url: str, limits: Limits, ingress: Ingress, *, since: float) -> None:
        self._url, self._limits, self._since, self._now = url.rstrip("/"), limits, since, since
        self._canary, self._stable = ingress.selector("canary"), ingress.selector("stable")

    def look(self, now: float) -> Verdict:
        self._now = now
        window = f"[{max(min(self._limits.window_seconds, now - self._since), 1):.0f}s]"
        try:
            return self._look(window)
        except Unknown as error:
            return Verdict("unknown", str(error))

    def _look(self, window: str) -> Verdict:
        requests = self._requests(self._canary, window)
        reason = self._gone(window) or self._errors(window, requests) or self._tasks(window) or self._dead()
        if reason:
            return Verdict("bad", reason)
        if requests < self._limits.requests:
            return Verdict("unknown", f"{requests:.0f} requests in {window[1:-1]} are too few to judge by")
        slow, mine, other = self._slow(window, requests)
        if slow:
            return Verdict("bad", f"p99 {mine:.2f} s, the stable version {other:.2f} s")
        return Verdict("good", f"{requests:.0f} requests, p99 {mine:.2f} s, the stable version {other:.2f} s")

    def _gone(self, window: str) -> str:
        """A scrape may be late once or twice; a process that began anew has counted from nothing."""
        scraped = self._now - self._since > self._limits.gone_seconds
        if scraped and not self._one(f"min(max_over_time(up{{{self._canary}}}[{self._limits.gone_seconds:.0f}s]))"):
            return "a process of it doesn't answer Prometheus"
        resets = self._one(f"sum(resets(frozenshop_requests_total{{{self._canary}}}{window}))", absent=0)
        return f"its processes began anew {resets:.0f} times" if resets else ""

    def _errors(self, window: str, requests: float) -> str:
        mine = self._requests(self._canary, window, 'status=~"5.."')
        stable = self._requests(self._stable, window)
        share = self._requests(self._stable, window, 'status=~"5.."') / stable if stable else 0
        limit = max(self._limits.errors, self._limits.times * share)
        if mine >= FEW and mine > limit * requests:
            return f"{mine:.0f} of {requests:.0f} requests failed, of the stable version's {share:.1%}"
        return ""

    def _slow(self, window: str, requests: float) -> tuple[bool, float, float]:
        """p99, but where 1 % are fewer than three requests, what the third slowest took."""
        quantile = min(0.99, 1 - FEW / requests)
        mine, other = (self._seconds(quantile, selector, window) for selector in (self._canary, self._stable))
        limit = max(self._limits.p99_seconds, self._limits.times * (0 if math.isnan(other) else other))
        return mine > limit, mine, other

    def _tasks(self, window: str) -> str:
        mine, stable = (self._failed(selector, window) for selector in (self._canary, self._stable))
        limit = max(self._limits.failed_tasks, self._limits.times * (stable[0] / stable[1] if stable[1] else 0))
        if mine[0] >= FEW and mine[0] > limit * mine[1]:
            return f"{mine[0]:.0f} of {mine[1]:.0f} tasks failed"
        return ""

    def _failed(self, selector: str, window: str) -> tuple[float, float]:
        runs = "sum(increase(frozenshop_task_runs_total{%s}%s))"
        bad = self._one(runs % (f'{selector},outcome=~"failed|dead"', window), absent=0)
        return bad, self._one(runs % (selector, window), absent=0)

    def _dead(self) -> str:
        """Rows that a person must look at. They are of no version: what counts is that there are more than before."""
        dead = 'max(frozenshop_outbox_messages{status="dead"}%s)'
        now, before = self._one(dead % ""), self._one(dead % f" @ {self._since:.0f}", absent=math.inf)
        return f"{now - before:.0f} more dead messages" if now > before else ""

    def _requests(self, selector: str, window: str, also: str = "") -> float:
        matchers = ",".join(part for part in (selector, PAGES, also) if part)
        return self._one(f"sum(increase(frozenshop_requests_total{{{matchers}}}{window}))", absent=0)

    def _seconds(self, quantile: float, selector: str, window: str) -> float:
        buckets = f"sum by (le) (rate(frozenshop_request_seconds_bucket{{{selector},{PAGES}}}{window}))"
        return self._one(f"histogram_quantile({quantile:.4f}, {buckets})", absent=math.nan)

    def _one(self, query: str, *, absent: float | None = None) -> float:
        url = f"{self._url}/api/v1/query?{urllib.parse.urlencode({'query': query, 'time': self._now})}"
        try:
            with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:
                found = json.load(answer)["data"]["result"]
        except (OSError, ValueError, KeyError, urllib.error.HTTPError) as error:
            raise Unknown(f"Prometheus at {self._url} doesn't answer: {error}") from None
        if found:
            return float(found[0]["value"][1])
        if absent is None:
            raise Unknown(f"Prometheus knows nothing of {query}")
        return absent
