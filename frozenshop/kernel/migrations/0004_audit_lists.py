"""The audit is listed by time within each of its filters, and an act on many is found from each of its subjects."""

from django.db import migrations, models

import frozenshop.kernel.fields


class Migration(migrations.Migration):
    dependencies = [
        ("kernel", "0003_log_entries"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="auditentry",
            options={
                "permissions": [("export_auditentry", "可以导出审计记录")],
                "verbose_name": "审计记录",
                "verbose_name_plural": "审计记录",
            },
        ),
        migrations.CreateModel(
            name="AuditSubject",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("audit_id", models.BigIntegerField(verbose_name="审计记录")),
                ("subject", frozenshop.kernel.fields.KeyField(max_length=150, verbose_name="对象")),
                ("at", models.DateTimeField(verbose_name="时间")),
            ],
            options={
                "verbose_name": "审计涉及的对象",
                "verbose_name_plural": "审计涉及的对象",
                "constraints": [
                    models.UniqueConstraint(fields=("subject", "at", "audit_id"), name="auditsubject_once")
                ],
            },
        ),
        *(
            migrations.AddIndex(model_name="auditentry", index=models.Index(fields=[name, "at", "id"], name=index))
            for name, index in (
                ("subject", "audit_by_subject"),
                ("actor", "audit_by_actor"),
                ("action", "audit_by_action"),
                ("request_id", "audit_by_request"),
            )
        ),
        *(
            migrations.RemoveIndex(model_name="auditentry", name=name)
            for name in ("audit_subject", "audit_actor", "audit_request")
        ),
    ]
