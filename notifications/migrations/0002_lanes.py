"""Each notice waits for one channel, and each channel has a breaker: what is down delays only its own."""

import frozenshop.kernel.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('notifications', '0001_initial'),
        ('orders', '0004_messaging_alerts'),
    ]

    operations = [
        migrations.CreateModel(
            name='ChannelState',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('channel', frozenshop.kernel.fields.KeyField(choices=[('wechat_subscribe', '微信订阅消息'), ('wechat_official', '公众号模板消息'), ('sms_aliyun', '阿里云短信'), ('sms_tencent', '腾讯云短信'), ('wecom_bot', '企业微信机器人'), ('email', '邮件'), ('webhook', 'Webhook')], max_length=20, unique=True, verbose_name='渠道')),
                ('failures', models.PositiveIntegerField(default=0, verbose_name='连续失败')),
                ('open_until', models.DateTimeField(blank=True, null=True, verbose_name='熔断至')),
                ('last_error', models.CharField(blank=True, max_length=300, verbose_name='最近错误')),
                ('trouble', models.CharField(blank=True, max_length=300, verbose_name='须人工处理')),
            ],
            options={
                'verbose_name': '通知渠道',
                'verbose_name_plural': '通知渠道',
            },
        ),
        migrations.RemoveIndex(
            model_name='notice',
            name='notice_due',
        ),
        migrations.AddField(
            model_name='notice',
            name='channel',
            field=frozenshop.kernel.fields.KeyField(blank=True, choices=[('wechat_subscribe', '微信订阅消息'), ('wechat_official', '公众号模板消息'), ('sms_aliyun', '阿里云短信'), ('sms_tencent', '腾讯云短信'), ('wecom_bot', '企业微信机器人'), ('email', '邮件'), ('webhook', 'Webhook')], max_length=20, verbose_name='渠道'),
        ),
        migrations.AddIndex(
            model_name='notice',
            index=models.Index(fields=['state', 'channel', 'due_at', 'id'], name='notice_lane'),
        ),
    ]
