"""When a batch's files were deleted, how far a file has come, and rights over others' batches: tables of this release."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("backoffice", "0003_figures")]

    operations = [
        migrations.AlterModelOptions(
            name="batch",
            options={
                "permissions": [
                    ("view_others_batch", "可以查看他人的批量任务"),
                    ("export_unmasked", "可以申请导出未打码的收件人信息"),
                    ("approve_unmasked", "可以批准导出未打码的收件人信息"),
                ],
                "verbose_name": "批量任务",
                "verbose_name_plural": "批量任务",
            },
        ),
        migrations.AddField(
            model_name="batch",
            name="expired_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="文件删除时间"),
        ),
        migrations.AddField(
            model_name="batchfile",
            name="written",
            field=models.JSONField(blank=True, null=True, verbose_name="进度"),
        ),
    ]
