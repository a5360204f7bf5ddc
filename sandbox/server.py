"""The one server: told apart by path, each service answers in its own way; `/_sim/` steers."""

import functools
import json
import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from werkzeug.exceptions import HTTPException
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from sandbox import controls, page, phones, sink, sms_controls, wechat_controls
from sandbox.config import Config
from sandbox.controls import BadControl
from sandbox.faults import ANSWER_FAULTS, Fault
from sandbox.instants import Clock
from sandbox.pushing import Post, Pusher, post
from sandbox.services import REPORTS, SERVICES, VOICES, service_of
from sandbox.serving import Answered, Asked
from sandbox.sms import ReportPusher
from sandbox.wechat_push import EventPusher
from sandbox.world import World

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

HOST = "127.0.0.1"
LOOPBACK = frozenset({HOST, "localhost", "::1"})
TICK_SECONDS = 0.25
HANG_SECONDS = 30.0
MAX_BODY = 4 * 1024 * 1024
HTTP_ERRORS = (500, 502, 503)

log = logging.getLogger(__name__)
Sleep = Callable[[float], None]


class Dropped(Exception):
    """The connection was cut on purpose."""


def as_json(value: Any, status: int = 200) -> Response:
    """Text goes out as it is: a verbatim payload."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return Response(text, status, content_type="application/json; charset=utf-8")


def refuse(status: int, code: str, message: str, fields: Mapping[str, str] | None = None) -> Response:
    return as_json({"error": {"code": code, "message": message, **({"fields": fields} if fields else {})}}, status)


class Application:
    """WSGI. `sleep` is injected so that tests of latency need not wait."""

    def __init__(self, world: World, pusher: Pusher, *, sleep: Sleep = time.sleep) -> None:
        self.world, self.pusher, self._sleep = world, pusher, sleep

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = Request(environ)
        request.max_content_length = MAX_BODY
        request.max_form_memory_size = MAX_BODY
        try:
            response = self.respond(request)
        except HTTPException as error:
            response = refuse(error.code or 400, "invalid", "请求无法读取")
        except Dropped:
            _cut(environ)
            response = Response(status=500)
        return response(environ, start_response)

    def respond(self, request: Request) -> Response:
        if request.path.startswith("/_sim"):
            return self.control(request)
        asked = _asked(request)
        service = service_of(asked)
        if not service:
            return refuse(404, "not_found", "沙箱没有模拟这个接口；控制页面在 /_sim/")
        with self.world.lock:
            faults = {fault.kind: fault for fault in self.world.faults.draw(service, ANSWER_FAULTS)}
        if "latency" in faults:
            self._sleep(faults["latency"].latency_seconds)
        return self._suffer(asked, service, faults)

    def _suffer(self, asked: Asked, service: str, faults: Mapping[str, Fault]) -> Response:
        """An error 5xx means not handled; every other fault strikes after the call took effect."""
        answer = None if "http_5xx" in faults else self._answer(service, asked)
        lost = "cut" in faults or "timeout" in faults
        answered = answer if isinstance(answer, Answered) else Answered(200, answer)
        given, answer = answered.status, answered.value
        status = self.world.rng.choice(HTTP_ERRORS) if answer is None else 0 if lost else given
        with self.world.lock:
            self.world.calls.add(
                service,
                "in",
                asked.method,
                asked.path,
                request={"query": asked.query, "body": asked.body},
                status=status,
                response=answer,
                fault=" ".join(faults),
            )
        if answer is None:
            return Response("<html><h1>Bad Gateway</h1></html>", status, content_type="text/html")
        if "timeout" in faults:
            self._sleep(HANG_SECONDS)
        if lost:
            raise Dropped
        if "changed" in faults and isinstance(answer, dict):
            answer = {**answer, "sandboxAdded": {"since": "2026-11"}}
        response = as_json(answer, given)
        response.headers.update(answered.headers)
        if "bad_json" in faults:
            response.set_data(response.get_data()[: len(response.get_data()) // 2])
        response.content_type = SERVICES[service].content_types.get(asked.path, response.content_type)
        return response

    def _answer(self, service: str, asked: Asked) -> Any:
        with self.world.lock:
            return SERVICES[service].answer(self.world, asked)

    def control(self, request: Request) -> Response:
        if not _from_here(request):
            return refuse(403, "forbidden", "只能在本机控制沙箱")
        try:
            with self.world.lock:
                return self._control(request)
        except BadControl as refusal:
            return refuse(400, "invalid", f"{refusal.field}：{refusal.message}", {refusal.field: refusal.message})

    def _control(self, request: Request) -> Response:
        world, path, method = self.world, request.path.removeprefix("/_sim").rstrip("/"), request.method
        if path.startswith("/shipments/"):
            return self._shipment(request, path.removeprefix("/shipments/"))
        routes: dict[tuple[str, str], Callable[[], Any]] = {
            **{
                key: functools.partial(_of_phones, world, act, request)
                for key, act in (*wechat_controls.CONTROLS.items(), *sms_controls.CONTROLS.items())
            },
            **{
                ("PUT", f"/{name}"): functools.partial(_set_manners, world, service.manners, request)
                for name, service in SERVICES.items()
                if service.manners
            },
            ("POST", "/faults"): lambda: controls.add_fault(world, _object(request)),
            ("GET", "/faults"): lambda: controls.faults(world),
            ("DELETE", "/faults"): lambda: controls.clear_faults(world),
            ("GET", "/webhooks"): lambda: sink.received(world),
            ("GET", "/calls"): lambda: controls.calls(world, request.args.to_dict()),
            ("GET", "/shipments"): lambda: {
                "shipments": [controls.show(shipment, world.clock()) for shipment in world.shipments.values()]
            },
        }
        pages = {"": lambda: page.render(world, self.pusher), "/phones": lambda: phones.render(world)}
        if method == "GET" and path in pages:
            return Response(pages[path](), content_type="text/html; charset=utf-8")
        if (method, path) in routes:
            return as_json(routes[method, path]())
        if any(known == path for _, known in routes):
            return refuse(405, "method_not_allowed", "这个控制不接受该方法")
        return refuse(404, "not_found", "没有这个控制；说明在 /_sim/")

    def _shipment(self, request: Request, waybill_no: str) -> Response:
        if request.method == "PUT":
            return as_json(controls.put_shipment(self.world, waybill_no, _object(request)))
        if request.method == "DELETE":
            self.world.dirty |= self.world.shipments.pop(waybill_no, None) is not None
            return Response(status=204)
        if request.method != "GET":
            return refuse(405, "method_not_allowed", "这个控制不接受该方法")
        found = controls.get_shipment(self.world, waybill_no)
        return as_json(found) if found else refuse(404, "not_found", "没有登记这个运单")


def _asked(request: Request) -> Asked:
    """The text is read first: afterwards a form's is gone."""
    text = request.get_data(as_text=True, parse_form_data=False)
    form = request.form.to_dict()
    return Asked(
        request.method,
        request.path,
        query=request.args.to_dict(),
        form=form,
        body=form or request.get_json(force=True, silent=True),
        text=text,
        headers={name.lower(): value for name, value in request.headers.items()},
    )


def _set_manners(world: World, manners: type[Any], request: Request) -> dict[str, Any]:
    return controls.set_manners(world.own(manners), _object(request))


def _of_phones(world: World, act: wechat_controls.Answer, request: Request) -> Any:
    return act(world, request.args.to_dict() if request.method == "GET" else _object(request))


def _from_here(request: Request) -> bool:
    """A page of some other site in the same browser must not steer: neither by its name nor from its origin."""
    claims = [f"//{request.host}", *request.headers.getlist("Origin")]
    return all(urlsplit(claim).hostname in LOOPBACK for claim in claims)


def _object(request: Request) -> dict[str, Any]:
    found = request.get_json(force=True, silent=True)
    if not isinstance(found, dict):
        raise BadControl("body", "要填 JSON 对象")
    return found


def _cut(environ: "WSGIEnvironment") -> None:
    connection = environ.get("werkzeug.socket")
    if connection is not None:
        connection.shutdown(socket.SHUT_RDWR)


class QuietHandler(WSGIRequestHandler):
    """`/_sim/calls` tells more than an access log would, and hides secrets."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing: query strings hold tokens."""


class Sandbox:
    """The world, its server and its scheduler."""

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock = time.time,
        rng: random.Random | None = None,
        send: Post = post,
        sleep: Sleep = time.sleep,
    ) -> None:
        self.world = World(config, clock=clock, rng=rng)
        self.pusher = Pusher(self.world, VOICES, send)
        self.event_pusher = EventPusher(self.world, send)
        self.report_pusher = ReportPusher(self.world, REPORTS, send)
        self.application = Application(self.world, self.pusher, sleep=sleep)

    def bind(self) -> BaseWSGIServer:
        """Port 0 takes a free one."""
        port = self.world.config.port
        return make_server(HOST, port, self.application, threaded=True, request_handler=QuietHandler)

    def work(self) -> None:
        """One round: push what is due, keep what changed."""
        self.pusher.tick()
        with self.world.lock:
            self.world.wechat.shipping.tick()
        self.event_pusher.tick()
        self.report_pusher.tick()
        self.world.save()


def repeat(act: Callable[[], None], stop: threading.Event) -> None:
    """Act again and again until told to stop; one failing round doesn't end it."""
    while not stop.wait(TICK_SECONDS):
        try:
            act()
        except Exception:
            log.exception("沙箱的一轮工作失败")


def run(config: Config, *others: Callable[[World], Callable[[], None]]) -> None:
    """Serve until interrupted. `others` make what else is to be repeated, such as the demo shop's round."""
    sandbox = Sandbox(config)
    server = sandbox.bind()
    stop = threading.Event()
    acts = [sandbox.work, *(make(sandbox.world) for make in others)]
    workers = [threading.Thread(target=repeat, args=(act, stop), daemon=True) for act in acts]
    for worker in workers:
        worker.start()
    try:
        server.serve_forever()
    finally:
        stop.set()
        for worker in workers:
            worker.join(timeout=5)
        server.server_close()
        sandbox.world.save()
