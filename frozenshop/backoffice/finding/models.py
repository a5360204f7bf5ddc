"""What is kept of how people find: searches, views, columns."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from frozenshop.kernel.fields import KeyField


class RecentSearch(models.Model):
    """What one person typed, for that person alone. `token` stands for the text in addresses.

    `digest` is keyed, so that the same text typed again is the same row.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    token = KeyField(max_length=32, unique=True)
    digest = KeyField(max_length=64)
    text_sealed = models.TextField("内容（密封）")
    searched_at = models.DateTimeField("查找时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "最近查找"
        constraints = [models.UniqueConstraint(fields=["user", "digest"], name="recent_search_once")]
        indexes = [
            models.Index(fields=["user", "searched_at", "id"], name="recent_search_user"),
            models.Index(fields=["searched_at", "id"], name="recent_search_age"),
        ]

    def __str__(self) -> str:
        return f"最近查找 {self.pk}"


class SavedView(models.Model):
    """Filters of the order list under a name, with the columns it is looked at with. It never holds what was searched.

    `filters` are parameters of the list's address; `columns` empty are those of whoever looks. The name is unique among
    one person's views, and among the shared ones (`shared_name`, null while it is private).
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, verbose_name="建立者", related_name="saved_views"
    )
    name = models.CharField("名称", max_length=30)
    name_key = KeyField(max_length=30)
    shared_name = KeyField(max_length=30, null=True, blank=True, unique=True)
    filters = models.JSONField("筛选", default=dict)
    columns = models.JSONField("列", default=list, blank=True)
    created_at = models.DateTimeField("建立时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "保存的视图"
        permissions = [("share_savedview", "可以与所有员工共享视图")]
        constraints = [models.UniqueConstraint(fields=["owner", "name_key"], name="saved_view_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def shared(self) -> bool:
        return self.shared_name is not None


class ListColumns(models.Model):
    """Which columns a person wants in a list, in which order; none kept is the list's own."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    list_name = KeyField(max_length=40)
    columns = models.JSONField(default=list)

    class Meta:
        verbose_name = verbose_name_plural = "列的选择"
        constraints = [models.UniqueConstraint(fields=["user", "list_name"], name="list_columns_once")]

    def __str__(self) -> str:
        return f"{self.list_name} {self.user_id}"
