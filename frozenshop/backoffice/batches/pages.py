"""The pages of batches: the list of one's own; of one its progress, its report, and what may be done to it."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from frozenshop.backoffice import wording
from frozenshop.backoffice.batches import moves, reports
from frozenshop.backoffice.batches.acts import act_view, allowed_acts
from frozenshop.backoffice.batches.kinds import known_kind
from frozenshop.backoffice.batches.models import Batch, BatchFile, BatchRow
from frozenshop.backoffice.exporting.pages import export_view
from frozenshop.kernel.changelist import ReadOnlyAdmin, staff_user

OTHERS = "backoffice.view_others_batch"
TONES = {
    Batch.State.PREVIEW: "quiet",
    Batch.State.WAITING: "warm",
    Batch.State.QUEUED: "cool",
    Batch.State.RUNNING: "cool",
    Batch.State.DONE: "good",
    Batch.State.FAILED: "bad",
    Batch.State.CANCELLED: "quiet",
}
BATCHES_SHOWN = 20


def batches_of(order_no: str) -> list[BatchRow]:
    """Return the newest rows that are about an order, each with its batch: who did what to it in a batch."""
    rows = BatchRow.objects.filter(about=order_no).select_related("batch").order_by("-id")
    return list(rows[:BATCHES_SHOWN])


def state_label(batch: Batch) -> SafeString:
    return wording.label(batch.get_state_display(), TONES.get(Batch.State(batch.state), "quiet"))


class BatchAdmin(ReadOnlyAdmin[Batch]):
    """One's own batches; with the right, everybody's."""

    keyset = ("-created_at", "-id")
    list_display = ("name", "kind_label", "state_tag", "progress", "owner_name", "created", "finished")
    list_display_links = ("name",)
    list_filter = ("state",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Batch]:
        batches = super().get_queryset(request)
        return batches if request.user.has_perm(OTHERS) else batches.filter(owner=staff_user(request).pk)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("export/<slug:what>/", view(export_view), name="backoffice_batch_export"),
            path("<int:batch_id>/progress/", view(self.progress_view), name="backoffice_batch_progress"),
            path("<int:batch_id>/report/", view(self.report_view), name="backoffice_batch_report"),
            path("<int:batch_id>/file/", view(self.file_view), name="backoffice_batch_file"),
            path("<int:batch_id>/do/<slug:name>/", view(self.act_view), name="backoffice_batch_act"),
        ]
        return [*own, *super().get_urls()]

    @admin.display(description="名称")
    def name(self, batch: Batch) -> str:
        return batch.title or f"#{batch.pk}"

    @admin.display(description="类型")
    def kind_label(self, batch: Batch) -> str:
        kind = known_kind(batch)
        return kind.label if kind else batch.kind

    @admin.display(description="状态")
    def state_tag(self, batch: Batch) -> SafeString:
        return state_label(batch)

    @admin.display(description="完成 / 未处理 / 共")
    def progress(self, batch: Batch) -> str:
        return f"{batch.done} / {batch.refused} / {batch.total}"

    @admin.display(description="创建")
    def created(self, batch: Batch) -> str:
        return wording.short_clock(batch.created_at)

    @admin.display(description="结束")
    def finished(self, batch: Batch) -> str:
        return wording.short_clock(batch.finished_at)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the batch's page; nothing is saved here."""
        batch = self._found(request, object_id)
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        return self._page(request, batch)

    def progress_view(self, request: HttpRequest, batch_id: int) -> HttpResponse:
        """Tell how far it is, for the page that watches."""
        answer = JsonResponse(progress(self._found(request, str(batch_id))))
        answer["Cache-Control"] = "no-store"
        return answer

    def report_view(self, request: HttpRequest, batch_id: int) -> HttpResponseBase:
        return reports.report(request, self._found(request, str(batch_id)))

    def file_view(self, request: HttpRequest, batch_id: int) -> HttpResponseBase:
        return reports.file(request, self._found(request, str(batch_id)))

    def act_view(self, request: HttpRequest, batch_id: int, name: str) -> HttpResponse:
        return act_view(request, self._found(request, str(batch_id)), name)

    def _found(self, request: HttpRequest, object_id: str) -> Batch:
        if not self.has_view_permission(request):
            raise PermissionDenied
        batch = self.get_object(request, object_id)
        if batch is None:
            raise Http404
        return batch

    def _page(self, request: HttpRequest, batch: Batch) -> HttpResponse:
        user = staff_user(request)
        assert isinstance(user, User)
        context = {
            **self.admin_site.each_context(request),
            "title": batch.title or f"批量任务 #{batch.pk}",
            "opts": self.opts,
            "batch": batch,
            "state": state_label(batch),
            "kind": self.kind_label(batch),
            "facts": _facts(batch),
            "acts": allowed_acts(batch, user),
            "file": BatchFile.objects.filter(batch=batch, kind=BatchFile.Kind.RESULT).first(),
            "may_take": reports.may_take(batch, user),
            "rows": reports.page_of_rows(request, batch),
            "undoing": batch.undo_of,
            "undone_by": getattr(batch, "undone_by", None),
            "watched": progress(batch)["ended"] is False,
            **_kinds_own(batch, user),
        }
        response = TemplateResponse(request, "backoffice/batches/batch.html", context)
        response["Cache-Control"] = "no-store"
        return response


def progress(batch: Batch) -> dict[str, Any]:
    """Return how far a batch is, without anything of its content."""
    return {
        "state": batch.state,
        "label": str(batch.get_state_display()),
        "percent": batch.percent,
        "done": batch.done,
        "refused": batch.refused,
        "total": batch.total,
        "ended": batch.state in moves.ENDED or batch.state == Batch.State.PREVIEW,
    }


def page_url(batch: Batch) -> str:
    return reverse("admin:backoffice_batch_change", args=[batch.pk])


def _facts(batch: Batch) -> Sequence[tuple[str, str]]:
    return [(label, text) for label, text in _possible_facts(batch) if text]


def _possible_facts(batch: Batch) -> Iterator[tuple[str, str]]:
    yield "编号", f"#{batch.pk}"
    yield "发起人", f"{batch.owner_name}（{wording.clock(batch.created_at)}）"
    yield "原因", batch.reason
    if batch.approved_at:
        yield "批准人", f"{batch.approver_name}（{wording.clock(batch.approved_at)}）"
    yield "开始", wording.clock(batch.started_at, "")
    yield "结束", wording.clock(batch.finished_at, "")
    yield "说明", batch.message
    if batch.expired_at:
        yield "原始内容和文件", f"已到期删除（{wording.clock(batch.expired_at)}）"
    elif batch.expires_at:
        yield "原始内容和文件", f"保留到 {wording.clock(batch.expires_at)}"


def _kinds_own(batch: Batch, user: User) -> dict[str, object]:
    kind = known_kind(batch)
    more = kind.page(batch, user) if kind else {}
    # The way to a list tells what was searched for, which may name somebody.
    whole = batch.owner_id == user.pk or user.has_perm("orders.unmask_order")
    return {"more": more if whole else {name: told for name, told in more.items() if name == "facts"}}
