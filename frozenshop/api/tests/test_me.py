"""What a buyer is told of himself."""

import datetime as dt

from frozenshop.kernel import clock
from orders import access
from orders.models import Customer


def bind(customer: Customer, *, days_ago: int = 0) -> None:
    access.bind_phone(customer, "13812341234", clock.now() - dt.timedelta(days=days_ago))


def test_who_bound_no_phone_is_told_so(buyer):
    assert buyer.get("/api/me").json() == {"phone": None, "verify_again": False}


def test_the_bound_phone_is_masked(buyer, customer):
    bind(customer)
    assert buyer.get("/api/me").json() == {"phone": "138****1234", "verify_again": False}


def test_an_old_verification_is_to_be_repeated(buyer, customer):
    bind(customer, days_ago=181)
    assert buyer.get("/api/me").json() == {"phone": "138****1234", "verify_again": True}


def test_a_phone_whose_key_was_lost_is_bound_all_the_same(buyer, customer):
    bind(customer)
    Customer.objects.filter(pk=customer.pk).update(phone_sealed="lost:rubbish")
    assert buyer.get("/api/me").json() == {"phone": "****", "verify_again": False}
