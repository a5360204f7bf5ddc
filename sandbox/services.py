"""The services that the sandbox stands in for: one entry each."""

from collections.abc import Mapping

from sandbox import kdniao, kdniao_voice, wechat
from sandbox.pushing import Voice
from sandbox.serving import Asked, Service

SERVICES: Mapping[str, Service] = {
    "kdniao": Service(
        serves=lambda asked: asked.path in kdniao.SERVED,
        answer=lambda world, asked: kdniao.answer(world, asked.path, asked.form),
        voice=kdniao_voice.KdniaoVoice(),
        manners=kdniao.Manners,
        sample=kdniao.sample,
    ),
    "wechat": Service(
        serves=lambda asked: asked.path.startswith(wechat.SERVED),
        answer=lambda world, asked: world.wechat.answer(asked.method, asked.path, asked.query, asked.body),
        content_types={"/sns/jscode2session": "text/plain; charset=utf-8"},
    ),
}
VOICES: Mapping[str, Voice] = {name: service.voice for name, service in SERVICES.items() if service.voice}


def service_of(asked: Asked) -> str:
    """Return the name of the service that is called; empty where there is none."""
    return next((name for name, service in SERVICES.items() if service.serves(asked)), "")
