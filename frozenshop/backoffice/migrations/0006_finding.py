"""Recent searches, saved views and chosen columns: tables of their own, of which the former version knows nothing."""

import django.db.models.deletion
import django.utils.timezone
import frozenshop.kernel.fields
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("backoffice", "0005_signin"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ListColumns",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("list_name", frozenshop.kernel.fields.KeyField(max_length=40)),
                ("columns", models.JSONField(default=list)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "verbose_name": "列的选择",
                "verbose_name_plural": "列的选择",
                "constraints": [models.UniqueConstraint(fields=("user", "list_name"), name="list_columns_once")],
            },
        ),
        migrations.CreateModel(
            name="RecentSearch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("token", frozenshop.kernel.fields.KeyField(max_length=32, unique=True)),
                ("digest", frozenshop.kernel.fields.KeyField(max_length=64)),
                ("text_sealed", models.TextField(verbose_name="内容（密封）")),
                ("searched_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="查找时间")),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "verbose_name": "最近查找",
                "verbose_name_plural": "最近查找",
                "indexes": [
                    models.Index(fields=["user", "searched_at", "id"], name="recent_search_user"),
                    models.Index(fields=["searched_at", "id"], name="recent_search_age"),
                ],
                "constraints": [models.UniqueConstraint(fields=("user", "digest"), name="recent_search_once")],
            },
        ),
        migrations.CreateModel(
            name="SavedView",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=30, verbose_name="名称")),
                ("name_key", frozenshop.kernel.fields.KeyField(max_length=30)),
                ("shared_name", frozenshop.kernel.fields.KeyField(blank=True, max_length=30, null=True, unique=True)),
                ("filters", models.JSONField(default=dict, verbose_name="筛选")),
                ("columns", models.JSONField(blank=True, default=list, verbose_name="列")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="建立时间")),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="saved_views",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="建立者",
                    ),
                ),
            ],
            options={
                "verbose_name": "保存的视图",
                "verbose_name_plural": "保存的视图",
                "permissions": [("share_savedview", "可以与所有员工共享视图")],
                "constraints": [models.UniqueConstraint(fields=("owner", "name_key"), name="saved_view_once")],
            },
        ),
    ]
