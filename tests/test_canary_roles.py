"""Each role does all that it may, exports included, and finds nobody unmasked: on pages, in answers, in the files.

The people who have the right have looked, searched, imported and exported before, so that there is something to find.
"""

import io
import itertools
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client

from frozenshop.backoffice import wording
from frozenshop.backoffice.batch_actions import ACTIONS
from frozenshop.backoffice.batches.models import Batch
from frozenshop.backoffice.batches.tests.doing import work
from frozenshop.backoffice.finding.models import SavedView
from frozenshop.backoffice.models import OrderNote
from frozenshop.backoffice.roles import ENGLISH, ROLES
from frozenshop.kernel.models import AuditEntry
from logistics.archive.models import ArchivedOrder
from logistics.archive.tests.factories import archived
from logistics.tests.factories import STAFF, event, make_carrier, make_shipment
from logistics.tests.factories import report as reported
from notifications.models import MessageTemplate, Notice, ShippingReport
from orders import holds
from orders.alerting import open_alert
from orders.importing import COLUMNS
from orders.models import AlertKind, Order
from orders.tests.factories import line, make_order
from orders.tests.test_importing import ROW, as_csv, as_xlsx
from tests import canary
from tests.canary import NAME, PHONE, SPACED, STREET
from tests.test_roles import client_of, pages

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_stores"), pytest.mark.timeout(900)]
WHO = {"name": NAME, "phone": PHONE, "address": STREET}
WITHOUT = {role for role, rights in ROLES.items() if "orders.unmask_order" not in rights}
ALL_BUT = "样样都行，只是不能看全"
FORMS = {word: {form for form in canary.forms(word) if len(form) > 5} for word in (NAME, PHONE, STREET)}
# More of a number than its first three and last four, more of a name than its first character.
PARTS = {
    PHONE: [rf"(?<![0-9A-Za-z])(?:{'|'.join(PHONE[at:] for at in range(1, 7))})(?![0-9A-Za-z])".encode(),
            rf"(?<![0-9A-Za-z])(?:{'|'.join(PHONE[:upto] for upto in range(5, 11))})(?![0-9A-Za-z])".encode(),
            rf"{PHONE[:3]}[^0-9A-Za-z]{{1,4}}{PHONE[3:7]}[^0-9A-Za-z]{{1,4}}{PHONE[7:]}".encode()],
    NAME: [NAME[at:].encode() for at in range(1, 4)],
    STREET: [STREET[:5].encode(), STREET[5:9].encode(), STREET[-5:].encode()],
}  # fmt: skip
_PARTS = {word: re.compile(b"|".join(found)) for word, found in PARTS.items()}


def told(data: bytes, typed: str = "") -> list[str]:
    """Return what of the consignee stands in this, but for the trait that was typed to get it."""
    found = {word: any(map(data.__contains__, forms)) for word, forms in FORMS.items()}
    return [word for word in FORMS if word != typed and (found[word] or _PARTS[word].search(data))]


def contents(answer: HttpResponse) -> bytes:
    """Return what an answer holds; of a workbook, what is in it."""
    data = b"".join(answer.streaming_content) if answer.streaming else answer.content
    if not data.startswith(b"PK\x03\x04"):
        return data
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        return b"\n".join(book.read(name) for name in book.namelist())


@pytest.mark.parametrize("text", [
    f"a {PHONE} b", SPACED, f"tel:{PHONE[-5:]}", f"{PHONE[:5]}******", NAME, NAME[1:], f"x{NAME[2:]}", STREET,
])  # fmt: skip
def test_it_is_told_by_its_parts_in_text_and_workbook(text):
    assert told(text.encode())
    book = io.BytesIO()
    with zipfile.ZipFile(book, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("xl/sheet.xml", text)
    assert told(contents(HttpResponse(book.getvalue())))


def test_what_may_be_shown_is_not_told():
    assert not told("欧**** 198****3917 上海市浦东新区**** 3917 198".encode())


# --- what there is to be found --------------------------------------------------------------------


def get(client: Client, url: str, **data: Any) -> HttpResponse:
    return client.get(url, data, follow=True)


def importing(client: Client, *rows: dict[str, str], xlsx: bool = False) -> Batch:
    """Upload, match and check a file; return the import, which waits to be run."""
    table = [list(COLUMNS), *[[(ROW | row)[name] for name in COLUMNS] for row in rows]]
    data = as_xlsx(table) if xlsx else as_csv(table).encode()
    client.post("/admin/import/", {"what": "orders", "file": SimpleUploadedFile("a.xlsx" if xlsx else "a.csv", data)})
    batch = Batch.objects.filter(kind="import").latest("pk")
    fields = client.get(f"/admin/import/{batch.pk}/?match=1").context["fields"]
    chosen = {f"column:{one['name']}": one["at"] for one in fields if one["at"] is not None}
    client.post(f"/admin/import/{batch.pk}/", {"do": "check", **chosen})
    work()
    return batch


def export(client: Client, what: str, form: str, *, typed: str = "", **data: Any) -> HttpResponse:
    """Ask for a list's export as a person does, from what they have searched; return the answer to its form."""
    query = ""
    if typed:
        found = client.post("/admin/orders/order/find/", {"q": typed})
        query = found["Location"].partition("?")[2]
    page = client.get(f"/admin/backoffice/batch/export/{what}/?{query}")
    if page.status_code != 200:
        return page
    given = {"query": page.context["query"], "form": form, **data}
    answer = client.post(f"/admin/backoffice/batch/export/{what}/", given)
    work()
    return answer


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> Order:
    """The canary's orders, hot and archived, and what people with every right have done with them."""
    make_carrier("SF")
    archived(order_no="CANARY-0", **WHO)
    order = make_order("paid", order_no="CANARY-1", buyer_openid="canary", lines=[line(name="带鱼")], **WHO)
    quoted = event("in_transit", text=f"派送至{STREET}，收件人{NAME}({SPACED})")
    reported(make_shipment(order, waybill_no="SF0009990009990"), quoted)
    open_alert(AlertKind.STALE, subject=order.order_no, order=order)
    OrderNote.objects.create(order_no=order.order_no, author="staff:1", text="已联系")
    holds.on_order("CANARY-1", "纠纷", STAFF)
    holds.on_person(PHONE, "纠纷", STAFF)
    root = client_of(None)
    for typed in (PHONE, NAME, f"{PHONE[-4:]} {NAME}"):
        assert b"CANARY-1" in root.post("/admin/orders/order/find/", {"q": typed}, follow=True).content
    assert NAME in root.post(f"/admin/orders/order/{order.pk}/do/unmask/", {"reason": "来电核对"}).content.decode()
    root.post("/admin/orders/order/views/", {"name": "我的", "todo": "late", "q": PHONE, "shared": "on"})
    for form, people in itertools.product(("csv", "xlsx"), ("masked", "whole")):
        export(root, "orders", form, typed=PHONE, people=people, reason="对账")
    second = client_of("管理员")
    for waiting in Batch.objects.filter(state="waiting"):
        second.post(f"/admin/backoffice/batch/{waiting.pk}/do/approve/")
    work()
    whole = Batch.objects.filter(kind="export_orders", state="done", parameters__masked=False)
    assert whole.count() == 2
    assert all(told(contents(root.get(f"/admin/backoffice/batch/{one.pk}/file/"))) for one in whole)
    person = {"consignee_name": NAME, "consignee_phone": SPACED, "address": STREET}
    bad = person | {"order_no": "CANARY-3", "consignee_phone": f"{PHONE}9", "quantity": NAME, "placed_at": STREET}
    importing(root, person | {"order_no": "CANARY-2"}, bad)
    ran = importing(root, person | {"order_no": "CANARY-2"}, person | {"order_no": "CANARY-4"}, xlsx=True)
    root.post(f"/admin/import/{ran.pk}/", {"do": "run"})
    work()
    assert Order.objects.get(order_no="CANARY-4").open_consignee().name == NAME
    asked = {"numbers": "CANARY-1", "action": "sync"}
    token = root.post("/admin/batch/", asked).context["token"]
    root.post("/admin/batch/", {**asked, "step": "run", "token": token})
    work()
    return order


# --- what a role does -----------------------------------------------------------------------------


WAYS = ("exports", "handles_batches", "imports", "searches", "opens_every_page", "posts_to_every_page")
FILES = {"exports": ("file/", "report/", "audit/export"), "handles_batches": ("file/",), "imports": ("report/",)}


@dataclass
class Visitor:
    """Somebody of a role who tries everything. `leaks`: what they were shown; `answered`: answers with content."""

    client: Client
    leaks: list[tuple[str, list[str]]] = field(default_factory=list)
    answered: int = 0
    files: list[str] = field(default_factory=list)

    def look(self, what: str, answer: HttpResponse, typed: str = "") -> HttpResponse:
        data = contents(answer)
        self.answered += answer.status_code == 200
        if answer.get("Content-Disposition", "").startswith("attachment"):
            self.files.append(what)
        if found := told(data, typed):
            self.leaks.append((what, found))
        return answer

    def get(self, url: str, typed: str = "", **data: Any) -> HttpResponse:
        return self.look(f"GET {url} {data}", self.client.get(url, data), typed)

    def post(self, url: str, typed: str = "", **data: Any) -> HttpResponse:
        return self.look(f"POST {url} {data}", self.client.post(url, data, follow=True), typed)

    def opens_every_page(self) -> None:
        for url in sorted(addresses(Order.objects.get(order_no="CANARY-1"))):
            if "logout" not in url:
                self.get(url)

    def posts_to_every_page(self) -> None:
        for url in sorted(addresses(Order.objects.get(order_no="CANARY-1"))):
            if not any(part in url for part in ("logout", "/password", "/account/")):
                self.post(url)

    def searches(self) -> None:
        lists = [f"/admin/{model._meta.app_label}/{model._meta.model_name}/" for model in admin.site._registry]
        for typed, url in itertools.product((PHONE, NAME, "CANARY", "SF0009990009990"), lists):
            self.get(url, typed=typed, q=typed)
        for typed in (PHONE, NAME, f"{PHONE[-4:]} {NAME[0]}", "CANARY-0", "CANARY-1", "SF0009990009990"):
            self.post("/admin/orders/order/find/", typed=typed, q=typed)
            self.client.post("/admin/orders/order/find/forget/")
        self.post("/admin/orders/order/find/forget/")
        self.get("/admin/orders/order/")
        fields = {"app_label": "notifications", "model_name": "staffcontact", "field_name": "user"}
        for typed in ("", "CANARY", "as"):
            self.get("/admin/autocomplete/", term=typed, **fields)
        for typed in ("CANARY-1", "staff:1"):
            self.get("/admin/audit/", subject=typed)
            self.get("/admin/audit/", actor=typed)
            self.get("/admin/logs/", q=typed)
            self.get("/admin/trail/", q=typed)

    def exports(self) -> None:
        for what, form, typed in itertools.product(("orders", "alerts"), ("csv", "xlsx"), ("", PHONE)):
            for people in ("masked", "whole"):
                answer = export(self.client, what, form, typed=typed, people=people, reason="看看")
                self.look(f"export {what} {form} {people} {typed}", answer, typed)
        for batch in Batch.objects.all():
            own = batch.owner_id == int(self.client.session["_auth_user_id"])
            for name in ("file", "report", "progress"):
                self.get(f"/admin/backoffice/batch/{batch.pk}/{name}/")
            # To its owner it says what they had searched for.
            self.get(f"/admin/backoffice/batch/{batch.pk}/change/", typed=PHONE if own else "")
            self.get(f"/admin/import/{batch.pk}/")
            self.get(f"/admin/import/{batch.pk}/report/")
        self.post("/admin/audit/export/")
        self.post("/admin/audit/export/", subject="CANARY-1")
        self.client.post("/admin/orders/order/find/forget/")

    def handles_batches(self) -> None:
        numbers = {"numbers": "CANARY-1 CANARY-2 CANARY-0 SF0009990009990", "scope": "group"}
        self.post("/admin/batch/", **numbers)
        self.post("/admin/batch/", action="export", **numbers)
        work()
        self.get(f"/admin/backoffice/batch/{Batch.objects.latest('pk').pk}/file/")
        forms = {"mark-fact": "refunded", "report-status": "delivered", "void-reason": "错", "resolve-note": "已处理"}
        for name in ACTIONS:
            self.post("/admin/batch/", action=name, **numbers, **forms)
        for name in ("ship", "correct"):
            self.post(
                "/admin/batch/", action=name, ship_rows="CANARY-1 顺丰 SF0009990009991\nCANARY-0 顺丰 SF1", **numbers
            )

    def imports(self) -> None:
        """A file with other people's data for orders that are known shows nothing of those."""
        if self.client.get("/admin/import/").status_code != 200:
            return
        other = {"consignee_name": "张三", "consignee_phone": "13800001111", "address": "人民路 1 号"}
        for xlsx in (False, True):
            batch = importing(self.client, *(other | {"order_no": f"CANARY-{n}"} for n in range(5)), xlsx=xlsx)
            self.get(f"/admin/import/{batch.pk}/")
            self.get(f"/admin/import/{batch.pk}/report/")
            self.post(f"/admin/import/{batch.pk}/", do="run_good")
            work()
            self.get(f"/admin/backoffice/batch/{batch.pk}/change/")
            self.get(f"/admin/backoffice/batch/{batch.pk}/report/")


def addresses(order: Order) -> Iterator[str]:
    """Yield every address of the site, for each thing that there is to be found of those it names."""
    keys: dict[str, list[Any]] = {
        "<path:order_no>": ["CANARY-0", "CANARY-1"],
        "<str:actor>": sorted({*AuditEntry.objects.values_list("actor", flat=True)}),
        "<int:batch_id>": [*Batch.objects.values_list("pk", flat=True)],
        "<slug:what>": ["orders", "alerts"],
        "<int:view_id>": [*SavedView.objects.values_list("pk", flat=True)] or [1],
        "<int:report_id>": [*ShippingReport.objects.values_list("pk", flat=True)[:2]] or [1],
        "<int:notice_id>": [*Notice.objects.values_list("pk", flat=True)[:3]] or [1],
        "<int:template_id>": [*MessageTemplate.objects.values_list("pk", flat=True)[:1]] or [1],
        "<str:recipient>": [f"customer:{order.customer_id}"],
        "<int:factor_id>": [1],
        "<int:hold_id>": [*holds.placed().values_list("pk", flat=True)],
        "<id>": [User.objects.latest("pk").pk],
        "<path:content_type_id>": [1],
    }
    for route, _name in set(pages()):
        route = re.sub(r"\^\(\?P<app_label>[^)]*\)/\$", "orders/", route)
        given = {name: values for name, values in keys.items() if name in route}
        parts = route.split("/")
        if "<path:object_id>" in route:
            given["<path:object_id>"] = [order.pk] if parts[1] == "r" else _keys(parts[1], parts[2])
        if "<slug:name>" in route:
            given["<slug:name>"] = ["unmask", "restore", "note", "cancel"]
        if "<int:order_id>" in route:
            away = [*ArchivedOrder.objects.values_list("pk", flat=True)]
            given["<int:order_id>"] = away if "archivedorder" in route else [order.pk]
        for values in itertools.product(*given.values()):
            url = route
            for name, value in zip(given, values, strict=True):
                url = url.replace(name, str(value))
            assert not re.search(r"[<>^$(]", url), url
            yield f"/{url}"


def _keys(app: str, model: str) -> list[Any]:
    model_class = next(one for one in admin.site._registry if one._meta.label_lower == f"{app}.{model}")
    return [*model_class._default_manager.order_by("-pk").values_list("pk", flat=True)[:5]] or [1]


def visitor_of(role: str) -> Visitor:
    if role != ALL_BUT:
        return Visitor(client_of(role))
    group = Group.objects.create(name=role)
    group.permissions.set(Permission.objects.exclude(codename="unmask_order"))
    client = client_of("查看")
    User.objects.get(username="as 查看").groups.set([group])
    return Visitor(client)


@pytest.mark.slow
@pytest.mark.parametrize(
    "what", ["exports", "handles_batches", "imports", "searches", "opens_every_page", "posts_to_every_page"]
)
@pytest.mark.parametrize("role", [*sorted(WITHOUT), ALL_BUT], ids=lambda role: ENGLISH.get(role, "all-but"))
def test_whoever_may_not_see_people_in_full_does_not_by_anything_they_may_do(order, role, what):
    visitor = visitor_of(role)
    getattr(visitor, what)()
    assert visitor.leaks == []
    assert told(canary_of(order))
    if role == ALL_BUT:
        assert {part for part in FILES.get(what, ()) if not any(part in made for made in visitor.files)} == set()
        assert visitor.answered > (60 if "every_page" in what else 5)


def canary_of(order: Order) -> bytes:
    """There was something to be found to the end."""
    return "".join(Order.objects.get(pk=order.pk).open_consignee().in_full().values()).encode()


@pytest.mark.slow
def test_a_leak_in_an_export_would_be_found(order, monkeypatch):
    """So that the walk is known to look into what is made by POST and by jobs."""
    visitor = visitor_of(ALL_BUT)
    monkeypatch.setattr(wording, "masked_consignee", lambda order: order.open_consignee().in_full())
    visitor.exports()
    visitor.handles_batches()
    leaking = {what.split(" {")[0] for what, _found in visitor.leaks}
    made = Batch.objects.filter(kind="export_orders", owner__username="as 查看")
    assert {f"GET /admin/backoffice/batch/{one.pk}/file/" for one in made} <= leaking
    assert made.count() == 5
