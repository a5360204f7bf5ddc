"""What a person may do to a batch from its page. Each act is put on record in the transaction that does it."""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from frozenshop.backoffice import wording
from frozenshop.backoffice.batches import moves
from frozenshop.backoffice.batches.kinds import known_kind
from frozenshop.backoffice.batches.models import Batch
from frozenshop.backoffice.signin import recent
from frozenshop.kernel import clock
from frozenshop.kernel.changelist import record_act, staff_user
from frozenshop.kernel.errors import Invalid, NotPossible, Problem
from frozenshop.kernel.models import AuditEntry

OTHERS = "backoffice.view_others_batch"
IN_ONE_HAND = dt.timedelta(days=7)
HANDLED = ("user.added", "staff.password_set", "staff.roles_changed", "signin.factor_reset")
State = Batch.State


@dataclass(frozen=True, slots=True)
class Act:
    """`offered` says whether a person may do it to a batch as it stands; `run` returns the batch to show then.

    `proved`: only who showed lately that they are there may do it.
    """

    name: str
    label: str
    done: str
    offered: Callable[[Batch, User], bool]
    run: Callable[[Batch, User, str], Batch]
    explains: Callable[[Batch], str] = lambda batch: ""
    asks_reason: bool = False
    proved: bool = False
    tone: str = ""


def allowed_acts(batch: Batch, user: User) -> list[tuple[Act, str]]:
    """Return the acts to offer, each with the sentence that says what it will do."""
    return list(_offered(batch, user))


def _offered(batch: Batch, user: User) -> Iterator[tuple[Act, str]]:
    for act in ACTS.values():
        if act.offered(batch, user):
            try:
                yield act, act.explains(batch)
            except Problem:
                continue


def act_view(request: HttpRequest, batch: Batch, name: str) -> HttpResponse:
    """Do one thing to a batch. What can't be done comes back as a message."""
    page = HttpResponseRedirect(reverse("admin:backoffice_batch_change", args=[batch.pk]))
    act, user = ACTS.get(name), staff_user(request)
    if act is None:
        raise Http404
    if request.method != "POST":
        return page
    assert isinstance(user, User)
    if not _may_ever(batch, user, name):
        raise PermissionDenied
    if act.proved and (asked := recent.asked(request)) is not None:
        return asked
    try:
        shown = _do(request, act, batch, user)
    except Problem as problem:
        messages.error(request, wording.problem_text(problem))
        return page
    messages.success(request, act.done)
    return HttpResponseRedirect(reverse("admin:backoffice_batch_change", args=[shown.pk]))


def _do(request: HttpRequest, act: Act, batch: Batch, user: User) -> Batch:
    reason = request.POST.get("reason", "").strip()[:400]
    if act.asks_reason and not reason:
        raise Invalid("请填写原因")
    with transaction.atomic():
        shown = act.run(batch, user, reason)
        details = {"kind": batch.kind, "shown": shown.pk}
        record_act(request, f"batch.{act.name}", f"batch:{batch.pk}", reason=reason, details=details)
    return shown


def _may_ever(batch: Batch, user: User, name: str) -> bool:
    """Say whether it is this person's to do at all, however the batch stands."""
    if name in ("approve", "decline"):
        return moves.may_decide(batch, user)
    if name == "again":
        return _own(batch, user)
    return _may_stop(batch, user) if name == "cancel" else _may_act(batch, user)


def _own(batch: Batch, user: User) -> bool:
    """It goes on in its owner's name: nobody else may let it."""
    return batch.owner_id == user.pk


def _may_stop(batch: Batch, user: User) -> bool:
    """Somebody else's may be stopped by who sees it and may change orders; auditors only see."""
    return _own(batch, user) or user.has_perms((OTHERS, "orders.change_order"))


def _may_act(batch: Batch, user: User) -> bool:
    kind = known_kind(batch)
    return kind is not None and kind.allowed(user, batch)


def _cancel(batch: Batch, user: User, reason: str) -> Batch:
    moves.cancel(batch)
    return batch


def _approve(batch: Batch, user: User, reason: str) -> Batch:
    if moves.may_decide(batch, user) and _in_one_hand(f"{batch.owner_id}", f"{user.pk}"):
        days = IN_ONE_HAND.days
        raise NotPossible(f"{days} 天内，您与发起人之一为另一方开过账号，或改过密码、二次验证、角色：请由另一位批准")
    moves.approve(batch, user)
    return batch


def _in_one_hand(one: str, other: str) -> bool:
    """Say whether either has lately had the other's account in their hands: then two accounts may be one person."""
    had = Q()
    for actor, account in ((one, other), (other, one)):
        had |= Q(actor=f"staff:{actor}", subject__in=(f"staff:{account}", f"user:{account}"))
    since = clock.now() - IN_ONE_HAND
    return AuditEntry.objects.filter(had, at__gte=since, action__in=HANDLED).exists()


def _decline(batch: Batch, user: User, reason: str) -> Batch:
    moves.decline(batch, user, reason)
    return batch


def _again(batch: Batch, user: User, reason: str) -> Batch:
    moves.run_again(batch)
    return batch


def _undo_preview(batch: Batch) -> str:
    kind = known_kind(batch)
    return kind.undo_preview(batch) if kind else ""


def _may_cancel(batch: Batch, user: User) -> bool:
    """Whoever decides on it says no instead, with a reason."""
    return batch.state not in moves.ENDED and _may_stop(batch, user) and not _is_waiting(batch, user)


def _is_waiting(batch: Batch, user: User) -> bool:
    return batch.state == State.WAITING and moves.may_decide(batch, user)


ACTS = {
    act.name: act
    for act in (
        Act("approve", "批准", "已批准，任务已排队。", _is_waiting, _approve, proved=True, tone="default"),
        Act("decline", "不批准", "没有批准，任务已取消。", _is_waiting, _decline, asks_reason=True, tone="danger"),
        Act(
            "cancel",
            "取消任务",
            "已取消；已经完成的行不变。",
            _may_cancel,
            _cancel,
            lambda batch: "在下一行之前停下，已经完成的行不变。" if batch.open else "",
            tone="danger",
        ),
        Act(
            "again",
            "再试未处理的行",
            "已排队，只处理还没有完成的行。",
            lambda batch, user: moves.may_run_again(batch) and _own(batch, user),
            _again,
            lambda batch: f"再试 {batch.total - batch.done} 行，已完成的不会重复。",
        ),
        Act(
            "undo",
            "撤销这个任务",
            "撤销已排队，进度见本页。",
            lambda batch, user: moves.may_undo(batch) and _may_act(batch, user),
            moves.undo,
            _undo_preview,
            asks_reason=True,
            tone="danger",
        ),
    )
}
