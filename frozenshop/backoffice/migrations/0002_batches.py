"""Batches, their rows and their files: new tables, which the release before does not know."""

import django.db.models.deletion
import django.utils.timezone
import frozenshop.kernel.fields
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('backoffice', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Batch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', frozenshop.kernel.fields.KeyField(max_length=40, verbose_name='类型')),
                ('title', models.CharField(max_length=200, verbose_name='名称')),
                ('state', frozenshop.kernel.fields.KeyField(choices=[('preview', '预览'), ('waiting', '待批准'), ('queued', '排队中'), ('running', '进行中'), ('done', '已完成'), ('failed', '失败'), ('cancelled', '已取消')], default='preview', max_length=10, verbose_name='状态')),
                ('parameters', models.JSONField(default=dict, verbose_name='参数')),
                ('reason', models.CharField(blank=True, max_length=500, verbose_name='原因')),
                ('owner_name', frozenshop.kernel.fields.KeyField(max_length=150, verbose_name='发起人（记录）')),
                ('approver_name', frozenshop.kernel.fields.KeyField(blank=True, max_length=150, verbose_name='批准人')),
                ('approved_at', models.DateTimeField(blank=True, null=True, verbose_name='批准时间')),
                ('total', models.PositiveIntegerField(default=0, verbose_name='行数')),
                ('done', models.PositiveIntegerField(default=0, verbose_name='完成')),
                ('refused', models.PositiveIntegerField(default=0, verbose_name='未处理')),
                ('position', models.PositiveIntegerField(default=0, verbose_name='进度')),
                ('message', models.CharField(blank=True, max_length=500, verbose_name='说明')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='创建时间')),
                ('started_at', models.DateTimeField(blank=True, null=True, verbose_name='开始时间')),
                ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='结束时间')),
                ('expires_at', models.DateTimeField(blank=True, null=True, verbose_name='文件到期时间')),
                ('owner', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='发起人')),
                ('undo_of', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='undone_by', to='backoffice.batch', verbose_name='撤销的任务')),
            ],
            options={
                'verbose_name': '批量任务',
                'verbose_name_plural': '批量任务',
            },
        ),
        migrations.CreateModel(
            name='BatchFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', frozenshop.kernel.fields.KeyField(choices=[('upload', '上传的文件'), ('result', '结果文件')], max_length=10, verbose_name='用途')),
                ('name', models.CharField(max_length=150, verbose_name='文件名')),
                ('media_type', frozenshop.kernel.fields.KeyField(max_length=100, verbose_name='类型')),
                ('size', models.PositiveBigIntegerField(default=0, verbose_name='字节数')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='创建时间')),
                ('batch', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='files', to='backoffice.batch', verbose_name='任务')),
            ],
            options={
                'verbose_name': '批量任务的文件',
                'verbose_name_plural': '批量任务的文件',
            },
        ),
        migrations.CreateModel(
            name='BatchFilePiece',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveIntegerField()),
                ('sealed', models.TextField()),
                ('file', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='pieces', to='backoffice.batchfile')),
            ],
        ),
        migrations.CreateModel(
            name='BatchRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField(verbose_name='行号')),
                ('about', frozenshop.kernel.fields.KeyField(blank=True, max_length=64, verbose_name='对象')),
                ('state', frozenshop.kernel.fields.KeyField(choices=[('waiting', '待处理'), ('done', '完成'), ('refused', '未处理')], default='waiting', max_length=10, verbose_name='状态')),
                ('message', models.CharField(blank=True, max_length=500, verbose_name='结果')),
                ('given_sealed', models.TextField(blank=True, verbose_name='内容（密封）')),
                ('before_sealed', models.TextField(blank=True, verbose_name='原内容（密封）')),
                ('batch', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rows', to='backoffice.batch', verbose_name='任务')),
            ],
            options={
                'verbose_name': '批量任务的行',
                'verbose_name_plural': '批量任务的行',
            },
        ),
        migrations.AddIndex(
            model_name='batch',
            index=models.Index(fields=['created_at', 'id'], name='batch_created'),
        ),
        migrations.AddIndex(
            model_name='batch',
            index=models.Index(fields=['owner', 'created_at', 'id'], name='batch_owner'),
        ),
        migrations.AddIndex(
            model_name='batch',
            index=models.Index(fields=['state', 'created_at', 'id'], name='batch_state'),
        ),
        migrations.AddIndex(
            model_name='batch',
            index=models.Index(fields=['expires_at', 'id'], name='batch_expires'),
        ),
        migrations.AddConstraint(
            model_name='batchfile',
            constraint=models.UniqueConstraint(fields=('batch', 'kind'), name='batch_file_once'),
        ),
        migrations.AddConstraint(
            model_name='batchfilepiece',
            constraint=models.UniqueConstraint(fields=('file', 'position'), name='batch_piece_once'),
        ),
        migrations.AddIndex(
            model_name='batchrow',
            index=models.Index(fields=['batch', 'state', 'number'], name='batch_row_state'),
        ),
        migrations.AddIndex(
            model_name='batchrow',
            index=models.Index(fields=['about', 'id'], name='batch_row_about'),
        ),
        migrations.AddConstraint(
            model_name='batchrow',
            constraint=models.UniqueConstraint(fields=('batch', 'number'), name='batch_row_once'),
        ),
    ]
