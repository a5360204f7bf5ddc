"""The logs have a table, where there is no MongoDB. The former release knows nothing of it."""

import frozenshop.kernel.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('kernel', '0002_heartbeat'),
    ]

    operations = [
        migrations.CreateModel(
            name='LogEntry',
            fields=[
                ('id', frozenshop.kernel.fields.KeyField(max_length=24, primary_key=True, serialize=False)),
                ('kind', frozenshop.kernel.fields.KeyField(choices=[('raw', '服务商原文'), ('call', '服务商调用'), ('access', '接口访问'), ('exchange', '通知收发')], max_length=10, verbose_name='类别')),
                ('at', models.DateTimeField(verbose_name='时间')),
                ('request_id', frozenshop.kernel.fields.KeyField(blank=True, max_length=64, verbose_name='请求编号')),
                ('service', frozenshop.kernel.fields.KeyField(max_length=40, verbose_name='服务')),
                ('what', models.CharField(max_length=200, verbose_name='内容')),
                ('outcome', frozenshop.kernel.fields.KeyField(max_length=60, verbose_name='结果')),
                ('failed', models.BooleanField(default=False, verbose_name='失败')),
                ('ms', models.PositiveIntegerField(blank=True, null=True, verbose_name='耗时（毫秒）')),
                ('subject', frozenshop.kernel.fields.KeyField(blank=True, max_length=120, verbose_name='对象')),
                ('who', frozenshop.kernel.fields.KeyField(blank=True, max_length=150, verbose_name='谁')),
                ('address', frozenshop.kernel.fields.KeyField(blank=True, max_length=45, verbose_name='来源网段')),
                ('reference', frozenshop.kernel.fields.KeyField(blank=True, max_length=100, verbose_name='编号')),
                ('detail', models.CharField(blank=True, max_length=300, verbose_name='说明')),
                ('body', models.TextField(blank=True, verbose_name='原文（密封）')),
            ],
            options={
                'verbose_name': '日志',
                'verbose_name_plural': '日志',
                'indexes': [models.Index(fields=['kind', 'id'], name='log_kind'), models.Index(fields=['request_id', 'id'], name='log_request'), models.Index(fields=['subject', 'id'], name='log_subject'), models.Index(fields=['service', 'id'], name='log_service'), models.Index(fields=['failed', 'id'], name='log_failed'), models.Index(fields=['who', 'id'], name='log_who')],
            },
        ),
    ]
