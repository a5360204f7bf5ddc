"""A batch, its rows, and its files."""

import json
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from frozenshop.kernel import crypto
from frozenshop.kernel.fields import KeyField


class Batch(models.Model):
    """One piece of work on many orders. `state` moves only in `batches.moves` and `running`, by conditional updates.

    `kind` names its code in `batches.kinds`. `parameters` hold no personal data. `done` and `refused` count rows;
    `position` is the number of the last row that has its end. `expired_at`: since when files and sealed rows are gone.
    """

    class State(models.TextChoices):
        PREVIEW = "preview", "预览"
        WAITING = "waiting", "待批准"
        QUEUED = "queued", "排队中"
        RUNNING = "running", "进行中"
        DONE = "done", "已完成"
        FAILED = "failed", "失败"
        CANCELLED = "cancelled", "已取消"

    kind = KeyField("类型", max_length=40)
    title = models.CharField("名称", max_length=200)
    state = KeyField("状态", max_length=10, choices=State.choices, default=State.PREVIEW)
    parameters = models.JSONField("参数", default=dict)
    reason = models.CharField("原因", max_length=500, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, verbose_name="发起人", null=True, related_name="+"
    )
    owner_name = KeyField("发起人（记录）", max_length=150)
    approver_name = KeyField("批准人", max_length=150, blank=True)
    approved_at = models.DateTimeField("批准时间", null=True, blank=True)
    total = models.PositiveIntegerField("行数", default=0)
    done = models.PositiveIntegerField("完成", default=0)
    refused = models.PositiveIntegerField("未处理", default=0)
    position = models.PositiveIntegerField("进度", default=0)
    message = models.CharField("说明", max_length=500, blank=True)
    undo_of = models.OneToOneField(
        "self", models.PROTECT, verbose_name="撤销的任务", null=True, blank=True, related_name="undone_by"
    )
    created_at = models.DateTimeField("创建时间", default=timezone.now)
    started_at = models.DateTimeField("开始时间", null=True, blank=True)
    finished_at = models.DateTimeField("结束时间", null=True, blank=True)
    expires_at = models.DateTimeField("文件到期时间", null=True, blank=True)
    expired_at = models.DateTimeField("文件删除时间", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "批量任务"
        permissions = [
            ("view_others_batch", "可以查看他人的批量任务"),
            ("export_unmasked", "可以申请导出未打码的收件人信息"),
            ("approve_unmasked", "可以批准导出未打码的收件人信息"),
        ]
        indexes = [
            models.Index(fields=["created_at", "id"], name="batch_created"),
            models.Index(fields=["owner", "created_at", "id"], name="batch_owner"),
            models.Index(fields=["state", "created_at", "id"], name="batch_state"),
            models.Index(fields=["expires_at", "id"], name="batch_expires"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def open(self) -> bool:
        """Say whether it still moves by itself."""
        return self.state in (self.State.QUEUED, self.State.RUNNING)

    @property
    def percent(self) -> int:
        return 100 * (self.done + self.refused) // self.total if self.total else 0


class BatchRow(models.Model):
    """One row: what was given for it and what was there before, both sealed; how it ended, without names."""

    class State(models.TextChoices):
        WAITING = "waiting", "待处理"
        DONE = "done", "完成"
        REFUSED = "refused", "未处理"

    batch = models.ForeignKey(Batch, models.CASCADE, verbose_name="任务", related_name="rows")
    number = models.PositiveIntegerField("行号")
    about = KeyField("对象", max_length=64, blank=True)
    state = KeyField("状态", max_length=10, choices=State.choices, default=State.WAITING)
    message = models.CharField("结果", max_length=500, blank=True)
    given_sealed = models.TextField("内容（密封）", blank=True)
    before_sealed = models.TextField("原内容（密封）", blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "批量任务的行"
        constraints = [models.UniqueConstraint(fields=["batch", "number"], name="batch_row_once")]
        indexes = [
            models.Index(fields=["batch", "state", "number"], name="batch_row_state"),
            models.Index(fields=["about", "id"], name="batch_row_about"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.about}"

    @property
    def given(self) -> Any:
        """What the row was given, opened. Raises SealBroken, also where its time is over."""
        return json.loads(crypto.open_sealed(self.given_sealed, purpose=self.purpose_of("given")))

    @property
    def before(self) -> Any:
        """What was there before, opened. Raises SealBroken."""
        return json.loads(crypto.open_sealed(self.before_sealed, purpose=self.purpose_of("before")))

    def seal_given(self, value: Any) -> None:
        self.given_sealed = crypto.seal(json.dumps(value, ensure_ascii=False), purpose=self.purpose_of("given"))

    def seal_before(self, value: Any) -> None:
        self.before_sealed = crypto.seal(json.dumps(value, ensure_ascii=False), purpose=self.purpose_of("before"))

    def purpose_of(self, what: str) -> str:
        return f"batch-row:{self.batch_id}:{self.number}:{what}"


class BatchFile(models.Model):
    """A file of a batch, sealed, in pieces in the database: web and worker may be on different machines.

    `written`: how far a file has come that is written piece by piece, as its writer notes it; no personal data.
    """

    class Kind(models.TextChoices):
        UPLOAD = "upload", "上传的文件"
        RESULT = "result", "结果文件"

    batch = models.ForeignKey(Batch, models.CASCADE, verbose_name="任务", related_name="files")
    kind = KeyField("用途", max_length=10, choices=Kind.choices)
    name = models.CharField("文件名", max_length=150)
    media_type = KeyField("类型", max_length=100)
    size = models.PositiveBigIntegerField("字节数", default=0)
    written = models.JSONField("进度", null=True, blank=True)
    created_at = models.DateTimeField("创建时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "批量任务的文件"
        constraints = [models.UniqueConstraint(fields=["batch", "kind"], name="batch_file_once")]

    def __str__(self) -> str:
        return self.name


class BatchFilePiece(models.Model):
    file = models.ForeignKey(BatchFile, models.CASCADE, related_name="pieces")
    position = models.PositiveIntegerField()
    sealed = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["file", "position"], name="batch_piece_once")]

    def __str__(self) -> str:
        return f"{self.file_id}/{self.position}"
