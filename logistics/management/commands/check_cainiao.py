"""`manage.py check_cainiao WAYBILL --carrier NAME`: which of 菜鸟's variants an account has, and what to set."""

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from frozenshop.kernel import clock
from frozenshop.kernel.errors import Invalid
from logistics.carriers import provider_code, resolve_carrier
from logistics.providers import cainiao, wire
from logistics.providers.base import MAX_PUSH_BYTES, Forged, ProviderError, ProviderReport, Question, Unreadable

TIMEOUT_SECONDS = 10.0
SHAPES = {
    "A": "A（平铺：fullTraceDetail）",
    "B": "B（嵌套：result.data.detail）",
    "C": "C（裹裹：data.logisticsDetails）",
}
BAD_DIGEST, NOT_OPEN = "S02", "S04"
DEEPEST_NAMED = 4


@dataclass(frozen=True, slots=True)
class Variant:
    msg_type: str
    digest: str

    def __str__(self) -> str:
        return f"接口 {self.msg_type}，签名 {self.digest}"


class Command(BaseCommand):
    """Exit codes: 0 the settings fit, 1 they don't or nothing fits, 2 wrong use. Asks at most eight times."""

    help = "菜鸟自检：用一个真实运单试各种变体，说明账号是哪一种、该填什么设置"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("waybill_no", help="一个近期有轨迹的运单号")
        parser.add_argument("--carrier", required=True, help="承运商的编码或名称，例如 ZTO、中通")
        parser.add_argument("--phone-tail", default="", help="手机尾号，承运商要求时填写")
        parser.add_argument("--push", type=Path, help="一个收到的推送的正文（文件），用来判断推送的签名方式")

    def handle(self, *, waybill_no: str, carrier: str, phone_tail: str, push: Path | None, **options: Any) -> None:
        if not cainiao.configured():
            names = "CAINIAO_PROVIDER_ID、CAINIAO_APP_CODE、CAINIAO_SECRET"
            raise CommandError(f"先填写 {names}。", returncode=2)
        question = Question(_cp_code(carrier), waybill_no, phone_tail)
        body = _read(push) if push else None
        self.stdout.write(f"网关：{settings.CAINIAO_BASE_URL}，cpCode：{question.carrier_code}")
        wanted = self._ask(question) + (self._judge(body) if body is not None else [])
        self._conclude(wanted)

    def _ask(self, question: Question) -> list[str]:
        """Try the variants until one is answered; return the settings to change."""
        refused: dict[str, str] = {}
        for variant in _variants():
            if refused.get(variant.msg_type) == NOT_OPEN:
                continue
            try:
                answer = cainiao.ask(variant.msg_type, question, digest=variant.digest, timeout=TIMEOUT_SECONDS)
            except ProviderError as error:
                raise CommandError(f"{variant}：{error.reason}。网关没有可用的应答，请检查地址和网络。") from error
            code = refused[variant.msg_type] = str(answer.content.get("errorCode") or "")
            if code in (BAD_DIGEST, NOT_OPEN):
                self.stdout.write(f"× {variant}：{'签名不符' if code == BAD_DIGEST else '接口没有开通'}")
                continue
            self._describe(variant, answer, question)
            return _differences(variant)
        raise CommandError(
            "没有一种变体能用：请在菜鸟控制台核对资源 code（CAINIAO_PROVIDER_ID，不是 appCode）、密钥，"
            "以及接口是否已订购。"
        )

    def _describe(self, variant: Variant, answer: wire.Answer, question: Question) -> None:
        shape, _, _, _ = cainiao.unfold(answer.content)
        try:
            report = cainiao.told_by(answer, question)
        except ProviderError as error:
            if not shape and answer.content.get("success") is not False:
                fields = "、".join(_fields(answer.content))
                raise CommandError(f"{variant}：签名被接受，但应答的形状不认识，字段有：{fields}") from error
            raise CommandError(f"{variant}：签名被接受，但没有问到轨迹：{error.reason}") from error
        self.stdout.write(f"✓ {variant}：应答形状 {SHAPES.get(shape, '未知（暂无轨迹）')}，程序会自动识别")
        for line in _told(report):
            self.stdout.write(f"  {line}")

    def _judge(self, body: bytes) -> list[str]:
        """Find out how a captured push was signed; return the settings to change."""
        if body.lstrip().startswith(b"["):
            self.stdout.write("✓ 推送是数组形式，不带签名：地址要填 <PUBLIC_URL>/callbacks/cainiao/<密钥>")
            return [] if settings.CAINIAO_CALLBACK_SECRETS else ["CAINIAO_CALLBACK_SECRETS=<openssl rand -hex 16>"]
        try:
            digest = cainiao.digest_of(body)
        except (Forged, Unreadable) as error:
            raise CommandError(f"推送无法判断：{error}") from error
        if not digest:
            raise CommandError("推送的签名与哪一种方式都不符：请核对密钥（CAINIAO_SECRET），以及正文是否完整。")
        self.stdout.write(f"✓ 推送是 LINK 形式，签名 {digest}：地址填 <PUBLIC_URL>/callbacks/cainiao")
        return [] if digest == settings.CAINIAO_PUSH_DIGEST else [f"CAINIAO_PUSH_DIGEST={digest}"]

    def _conclude(self, wanted: list[str]) -> None:
        if wanted:
            raise CommandError("设置要改：\n" + "\n".join(f"  {line}" for line in wanted))
        self.stdout.write("设置相符，不用改。")


def _cp_code(carrier: str) -> str:
    try:
        found = resolve_carrier(carrier)
    except Invalid as problem:
        raise CommandError(f"--carrier：{'；'.join(problem.fields.values())}", returncode=2) from problem
    code = provider_code(found, "cainiao")
    if not code:
        raise CommandError(f"--carrier：承运商“{found.name}”没有菜鸟编码。", returncode=2)
    return code


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_PUSH_BYTES + 1).strip()
    except OSError as error:
        raise CommandError(f"--push：文件无法读取：{path}", returncode=2) from error


def _variants() -> Iterator[Variant]:
    """What is set comes first."""
    for msg_type in sorted(cainiao.QUERY_TYPES, key=lambda name: name != settings.CAINIAO_QUERY_TYPE):
        for digest in sorted(cainiao.DIGESTS, key=lambda name: name != settings.CAINIAO_DIGEST):
            yield Variant(msg_type, digest)


def _differences(variant: Variant) -> list[str]:
    fitting = {"CAINIAO_QUERY_TYPE": variant.msg_type, "CAINIAO_DIGEST": variant.digest}
    return [f"{name}={value}" for name, value in fitting.items() if getattr(settings, name) != value]


def _told(report: ProviderReport) -> Iterator[str]:
    """Say what an answer holds, without any of its sentences: they name people."""
    if not report.events:
        yield "暂无轨迹：换一个近期的运单再试，才能看到轨迹和状态。"
        return
    newest = report.events[-1]
    coded = sum(bool(event.code) for event in report.events)
    at = clock.shanghai(newest.occurred_at)
    yield f"轨迹 {len(report.events)} 条（{coded} 条带状态码），最新 {at:%Y-%m-%d %H:%M}"
    if report.overall:
        yield f"整件状态 {report.overall.code} → {report.overall.status.label}"
    else:
        yield "没有整件状态：由程序从轨迹文字判断"
    if report.unknown_codes:
        yield f"没有对应的状态码：{'、'.join(code for code, _ in report.unknown_codes)}"
    yield from report.notes


def _fields(content: Mapping[str, Any], depth: int = 1) -> Iterator[str]:
    """Name the fields of an answer, never their values."""
    for name, value in content.items():
        inner = next((item for item in value if isinstance(item, dict)), None) if isinstance(value, list) else value
        if isinstance(inner, dict) and depth < DEEPEST_NAMED:
            yield from (f"{name}.{below}" for below in _fields(inner, depth + 1))
        else:
            yield str(name)[:40]
