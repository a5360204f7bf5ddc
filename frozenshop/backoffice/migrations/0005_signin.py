"""Second factors, recovery codes and sessions of staff, and failures to sign in, in new tables.

The former release doesn't know them: beside it staff sign in by password alone, as before, and a session that it began
is asked for what is missing.
"""

import django.db.models.deletion
import django.utils.timezone
import frozenshop.kernel.fields
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ('backoffice', '0004_batch_expiry'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Authenticator',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', frozenshop.kernel.fields.KeyField(choices=[('totp', '验证器应用'), ('passkey', '安全密钥 / 通行密钥')], max_length=10, verbose_name='种类')),
                ('name', models.CharField(max_length=60, verbose_name='名称')),
                ('secret_sealed', models.TextField(verbose_name='密钥')),
                ('credential_id', models.TextField(blank=True, verbose_name='凭据编号')),
                ('credential_hash', frozenshop.kernel.fields.KeyField(max_length=64, null=True, unique=True, verbose_name='凭据摘要')),
                ('last_step', models.BigIntegerField(default=0, verbose_name='上次使用的步')),
                ('added_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='添加时间')),
                ('used_at', models.DateTimeField(null=True, verbose_name='上次使用')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='authenticators', to=settings.AUTH_USER_MODEL, verbose_name='员工')),
            ],
            options={
                'verbose_name': '二次验证方式',
                'verbose_name_plural': '二次验证方式',
                'permissions': [('reset_authenticator', '重置他人的二次验证')],
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='SignInAttempts',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', frozenshop.kernel.fields.KeyField(choices=[('account', '账号 + 地址'), ('device', '账号 + 常用浏览器'), ('address', '地址'), ('factor', '二次验证')], max_length=10, verbose_name='范围')),
                ('scope', frozenshop.kernel.fields.KeyField(max_length=64, unique=True, verbose_name='摘要')),
                ('account', models.CharField(blank=True, max_length=150, verbose_name='账号')),
                ('address', models.CharField(blank=True, max_length=45, verbose_name='地址')),
                ('count', models.PositiveIntegerField(default=1, verbose_name='次数')),
                ('since', models.DateTimeField(default=django.utils.timezone.now, verbose_name='起算时间')),
            ],
            options={
                'verbose_name': '登录失败计数',
                'verbose_name_plural': '登录失败计数',
                'default_permissions': ('view', 'delete'),
                'indexes': [models.Index(fields=['since', 'id'], name='sign_in_attempts_since')],
            },
        ),
        migrations.CreateModel(
            name='RecoveryCode',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code_hash', frozenshop.kernel.fields.KeyField(max_length=64, verbose_name='摘要')),
                ('used_at', models.DateTimeField(null=True, verbose_name='使用时间')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='recovery_codes', to=settings.AUTH_USER_MODEL, verbose_name='员工')),
            ],
            options={
                'verbose_name': '恢复码',
                'verbose_name_plural': '恢复码',
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('user', 'code_hash'), name='recovery_code_once')],
            },
        ),
        migrations.CreateModel(
            name='StaffSession',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('session_key', frozenshop.kernel.fields.KeyField(max_length=40, unique=True, verbose_name='会话')),
                ('started_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='登录时间')),
                ('seen_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='最近使用')),
                ('address', models.CharField(blank=True, max_length=45, verbose_name='地址')),
                ('agent', models.CharField(blank=True, max_length=200, verbose_name='浏览器')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='staff_sessions', to=settings.AUTH_USER_MODEL, verbose_name='员工')),
            ],
            options={
                'verbose_name': '登录会话',
                'verbose_name_plural': '登录会话',
                'default_permissions': (),
                'indexes': [models.Index(fields=['seen_at'], name='staff_session_seen')],
            },
        ),
    ]
