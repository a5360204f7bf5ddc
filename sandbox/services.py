"""The services that the sandbox stands in for: one entry each."""

from collections.abc import Mapping

from sandbox import (
    cainiao,
    kdniao,
    kdniao_voice,
    kuaidi100,
    kuaidi100_voice,
    sf,
    sf_voice,
    sink,
    sms_aliyun,
    sms_tencent,
    wechat,
)
from sandbox.pushing import Voice
from sandbox.serving import Asked, Service
from sandbox.sms import ReportVoice

SERVICES: Mapping[str, Service] = {
    "kdniao": Service(
        serves=lambda asked: asked.path in kdniao.SERVED,
        answer=lambda world, asked: kdniao.answer(world, asked.path, asked.form),
        voice=kdniao_voice.KdniaoVoice(),
        manners=kdniao.Manners,
        sample=kdniao.sample,
    ),
    "cainiao": Service(
        serves=lambda asked: asked.path == cainiao.GATEWAY,
        answer=lambda world, asked: cainiao.answer(world, asked.form),
        voice=cainiao.CainiaoVoice(),
        manners=cainiao.Manners,
        sample=cainiao.sample,
    ),
    "sf": Service(
        serves=lambda asked: asked.path == sf.PATH,
        answer=lambda world, asked: sf.answer(world, asked.form),
        voice=sf_voice.SfVoice(),
        manners=sf.Manners,
        sample=sf.sample,
    ),
    "kuaidi100": Service(
        serves=lambda asked: asked.path in kuaidi100.SERVED,
        answer=kuaidi100.answer,
        voice=kuaidi100_voice.Kuaidi100Voice(),
        manners=kuaidi100.Manners,
        sample=kuaidi100.sample,
    ),
    # Before WeChat, which has the other paths under /cgi-bin/.
    "wecom_bot": Service(serves=lambda asked: asked.path == sink.ROBOT, answer=sink.robot),
    "webhook": Service(serves=lambda asked: asked.path.startswith(sink.PATH), answer=sink.answer, manners=sink.Manners),
    "wechat": Service(
        serves=lambda asked: asked.path.startswith(wechat.SERVED),
        answer=lambda world, asked: world.wechat.answer(asked.method, asked.path, asked.query, asked.body),
        content_types={"/sns/jscode2session": "text/plain; charset=utf-8"},
    ),
    "aliyun_sms": Service(serves=sms_aliyun.serves, answer=sms_aliyun.answer, manners=sms_aliyun.Manners),
    "tencent_sms": Service(
        serves=sms_tencent.serves,
        answer=sms_tencent.answer,
        manners=sms_tencent.Manners,
        # Without a charset: its SDK looks for errors in no other answers.
        content_types={"/": "application/json"},
    ),
}
VOICES: Mapping[str, Voice] = {name: service.voice for name, service in SERVICES.items() if service.voice}

REPORTS: Mapping[str, ReportVoice] = {
    "aliyun_sms": sms_aliyun.AliyunReports(),
    "tencent_sms": sms_tencent.TencentReports(),
}


def service_of(asked: Asked) -> str:
    """Return the name of the service that is called; empty where there is none."""
    return next((name for name, service in SERVICES.items() if service.serves(asked)), "")
