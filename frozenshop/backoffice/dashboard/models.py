"""Figures that were counted beforehand, which days are to be counted again, and how far changes were read."""

from django.db import models

from frozenshop.kernel.fields import KeyField


class FigureKind(models.TextChoices):
    """`week` is a sum of seven days of `passages`, under their Monday; the last four are one state, under its day."""

    STEPS = "steps", "订单各步"
    PASSAGES = "passages", "签收"
    WEEK = "week", "每周签收"
    ARRIVING = "arriving", "今天预计送达"
    STALE = "stale", "停滞"
    UNTOLD = "untold", "未告知的消息"
    FROZEN = "frozen", "货款冻结"


class Dimension(models.TextChoices):
    ALL = "all", "全部"
    STATUS = "status", "状态"
    CARRIER = "carrier", "承运商"
    LANE = "lane", "线路"
    PLACE = "place", "地点"
    WHY = "why", "原因"
    ORIGIN = "origin", "始发地"
    DESTINATION = "destination", "目的地"


class Figure(models.Model):
    """How many, on one day, of one key. `promised` had a promise, `kept` kept it; `hours` → how many took so long."""

    kind = KeyField("种类", max_length=10, choices=FigureKind.choices)
    day = models.DateField("日期")
    dimension = KeyField("维度", max_length=12, choices=Dimension.choices)
    key = KeyField("取值", max_length=64, blank=True)
    count = models.PositiveIntegerField("数量", default=0)
    promised = models.PositiveIntegerField("有承诺", default=0)
    kept = models.PositiveIntegerField("守时", default=0)
    hours = models.JSONField("用时", default=dict)

    class Meta:
        verbose_name = verbose_name_plural = "统计"
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["kind", "day", "dimension", "key"], name="figure_once")]
        indexes = [models.Index(fields=["kind", "key", "day", "count"], name="figure_sum")]

    def __str__(self) -> str:
        return f"{self.kind} {self.day} {self.dimension}:{self.key} {self.count}"


class FigureDay(models.Model):
    """A day of a kind. It is to be counted again while `marked` (how often something in it changed) > `counted`."""

    kind = KeyField("种类", max_length=10, choices=FigureKind.choices)
    day = models.DateField("日期")
    marked = models.PositiveIntegerField("变化", default=1)
    counted = models.PositiveIntegerField("已统计", default=0)

    class Meta:
        verbose_name = verbose_name_plural = "统计日"
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["kind", "day"], name="figure_day_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.day}"


class FigureMark(models.Model):
    """Up to which row a log of changes was read (`after_id`), or when a kind was last counted to the end (`at`)."""

    name = KeyField("名称", max_length=40, unique=True)
    after_id = models.BigIntegerField("读到", default=0)
    at = models.DateTimeField("统计时间", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "统计进度"
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
