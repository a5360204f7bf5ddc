import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from frozenshop.backoffice.batches.models import Batch
from frozenshop.backoffice.batches.tests.doing import work
from frozenshop.backoffice.importing.kinds import CHECK, IMPORT
from frozenshop.backoffice.tests.conftest import lead, login, root, service, viewer
from logistics.tests.conftest import frozen
from logistics.tests.factories import make_carrier
from orders.tests.test_importing import as_csv, as_xlsx

__all__ = ["frozen", "lead", "login", "root", "service", "viewer"]
START = "/admin/import/"


@pytest.fixture(autouse=True)
def sf(db):
    return make_carrier("SF", aliases=["顺丰"])


class Importing:
    """An import as a person does it, step by step. `table`: rows with their header, or a file's bytes."""

    def __init__(self, client, what="orders"):
        self.client, self.what = client, what

    def upload(self, table, *, xlsx=False):
        if not isinstance(table, bytes):
            table = as_xlsx(table) if xlsx else as_csv(table).encode()
        name = "某某的订单.xlsx" if xlsx else "某某的订单.csv"
        file = SimpleUploadedFile(name, io.BytesIO(table).read())
        self.answer = self.client.post(START, {"what": self.what, "file": file}, follow=True)
        self.batch = Batch.objects.filter(kind=IMPORT, undo_of=None).order_by("-pk").first()
        return self

    @property
    def said(self):
        return " ".join(str(message) for message in self.answer.context["messages"])

    @property
    def page(self):
        return f"{START}{self.batch.pk}/"

    def match(self):
        """Return which column each field has on the page."""
        fields = self.client.get(self.page + "?match=1").context["fields"]
        return {field["name"]: field["at"] for field in fields if field["at"] is not None}

    def check(self, **changes):
        chosen = {f"column:{name}": at for name, at in (self.match() | changes).items()}
        self.answer = self.client.post(self.page, {"do": "check", **chosen}, follow=True)
        work()
        self.shown = self.client.get(self.page)
        return self

    @property
    def checked(self):
        return Batch.objects.filter(kind=CHECK).order_by("-pk").first()

    @property
    def counts(self):
        return self.checked.parameters.get("counts", {})

    @property
    def found(self):
        return [(one.row, one.column, one.kind) for one in self.shown.context["shown"]]

    def run(self, do="run"):
        self.answer = self.client.post(self.page, {"do": do}, follow=True)
        work()
        self.batch.refresh_from_db()
        return self

    def undo(self):
        self.answer = self.client.post(
            f"/admin/backoffice/batch/{self.batch.pk}/do/undo/", {"reason": "导错了"}, follow=True
        )
        work()
        return Batch.objects.filter(undo_of=self.batch).first()

    @property
    def rows(self):
        return list(self.batch.rows.order_by("number").values_list("about", "state"))


@pytest.fixture
def importing(lead):
    return Importing(lead)


@pytest.fixture
def shipping(lead):
    return Importing(lead, "waybills")


@pytest.fixture
def correcting(lead):
    return Importing(lead, "corrections")
