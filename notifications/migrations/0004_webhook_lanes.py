"""An endpoint knows since when it fails, its secrets are one sealed text, and its own due messages are found quickly."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('notifications', '0003_settlement'),
    ]

    operations = [
        migrations.RemoveField(
            model_name='webhookendpoint',
            name='secrets_sealed',
        ),
        migrations.AddField(
            model_name='webhookendpoint',
            name='secrets_sealed',
            field=models.TextField(default='', verbose_name='密钥（密封）'),
        ),
        migrations.AddField(
            model_name='webhookendpoint',
            name='failing_since',
            field=models.DateTimeField(blank=True, null=True, verbose_name='开始失败'),
        ),
        migrations.RemoveIndex(
            model_name='webhookmessage',
            name='webhook_message_due',
        ),
        migrations.AddIndex(
            model_name='webhookmessage',
            index=models.Index(fields=['endpoint', 'state', 'due_at', 'id'], name='webhook_message_lane'),
        ),
    ]
