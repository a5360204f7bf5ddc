"""Step by step to all requests, as long as the canary does well; and back at once when it doesn't."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deploy.release.ingress import Ingress, ReleaseError
from deploy.release.judge import Judge, Limits, Verdict

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """Percents, how long each lasts at least, how long to wait for a judgement before giving up, how often to look."""

    steps: Sequence[int] = (5, 25, 50, 100)
    step_seconds: float = 300
    hold_seconds: float = 300
    poll_seconds: float = 5

    def __post_init__(self) -> None:
        if list(self.steps) != sorted({*self.steps}) or not self.steps or self.steps[-1] != 100 or self.steps[0] < 1:
            raise ReleaseError(f"[plan] steps: {list(self.steps)} don't grow from at least 1 to 100.")


def release(ingress: Ingress, version: str, *, prometheus: str, limits: Limits, plan: Plan, say: Say) -> bool:
    """Bring `version` out, or go on where a former command was killed. Return whether it is the stable one now."""
    before = ingress.state()
    if before.canary not in (None, version):
        raise ReleaseError(f"{before.canary} is under way with {before.weight} %: `release abort` comes first.")
    if before.stable == version:
        ingress.promote()
        ingress.settle()
        say(f"{version} is the stable version already")
        return True
    try:
        ingress.begin(version)
    except ReleaseError as error:
        return _give_up(ingress, version, str(error), say)
    say(f"{version} is ready beside {before.stable}")
    judge = Judge(prometheus, limits, ingress, since=time.time())
    for percent in (step for step in plan.steps if step >= before.weight):
        ingress.weigh(percent)
        say(f"{percent} % to {version}")
        verdict = _watch(judge, plan, say)
        if verdict.word != "good":
            return _give_up(ingress, version, verdict.reason, say)
        say(f"{percent} % did well: {verdict.reason}")
    ingress.promote()
    say(f"{version} is the stable version")
    ingress.settle()
    say(f"{before.stable} has ended")
    return True


def _give_up(ingress: Ingress, version: str, reason: str, say: Say) -> bool:
    say(f"{version} is withdrawn: {reason}")
    ingress.withdraw()
    say(f"{ingress.state().stable} serves all requests")
    ingress.settle()
    say(f"{version} has ended")
    return False


def _watch(judge: Judge, plan: Plan, say: Say) -> Verdict:
    """Look until the step is over and the last look was good. Who can't be judged for too long doesn't go on."""
    began = judged = time.monotonic()
    said = ""
    while True:
        time.sleep(plan.poll_seconds)
        verdict, now = judge.look(time.time()), time.monotonic()
        if verdict.word == "bad" or (verdict.word == "good" and now - began >= plan.step_seconds):
            return verdict
        if verdict.word == "good":
            judged = now
        elif now - judged > plan.hold_seconds:
            return Verdict("bad", f"for {now - judged:.0f} s it could not be judged: {verdict.reason}")
        elif not said:
            said = verdict.reason
            say(f"waiting: {said}")
