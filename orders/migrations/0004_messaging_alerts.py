"""Alerts about channels of messages and about the money that WeChat holds."""

import frozenshop.kernel.fields
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0003_alert_due'),
    ]

    operations = [
        migrations.AlterField(
            model_name='alert',
            name='kind',
            field=frozenshop.kernel.fields.KeyField(choices=[('not_shipped', '超时未发货'), ('stale', '物流停滞'), ('exception', '问题件'), ('delivery_failed', '派送未成功'), ('locker_waiting', '驿站滞留'), ('returning', '退回途中'), ('returned', '已退回'), ('partly_returned', '部分退回'), ('paid_after_cancelled', '取消后付款'), ('shipped_unpaid', '未付款已发货'), ('shipped_after_cancelled', '取消后发货'), ('refund_partial', '部分退款'), ('money_conflict', '款项与货物不符'), ('clock_anomaly', '轨迹时间异常'), ('unknown_code', '未知状态码'), ('earlier_life', '运单号旧轨迹'), ('lost_contact', '长期无轨迹'), ('provider_trouble', '轨迹服务商异常'), ('order_changed_after_shipping', '发货后改单'), ('no_pickup', '发货后未揽收'), ('late_eta', '晚于预计'), ('late_promise', '将误承诺时效'), ('out_too_long', '派送过久'), ('unreachable', '联系不上收件人'), ('wrong_address', '地址或电话有误'), ('refused', '拒收'), ('damaged', '破损'), ('missorted', '错分'), ('lost', '疑似丢失'), ('wrong_number', '疑似单号填错'), ('incident', '区域性停滞'), ('messaging', '消息渠道异常'), ('settlement', '微信结算异常')], max_length=32, verbose_name='类型'),
        ),
    ]
