import base64

import pytest

from notifications.webhooks import signing

# The example that the Standard Webhooks libraries share.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def secret_of(size: int) -> str:
    return signing.PREFIX + base64.b64encode(bytes(size)).decode()


def test_the_signature_is_that_of_the_specification():
    assert signing.sign(SECRET, ID, AT, BODY) == SIGNATURE


def test_each_live_secret_signs_in_one_header():
    other = signing.new_secret()
    headers = signing.headers(ID, AT, BODY, [other, SECRET])
    assert headers["webhook-signature"] == f"{signing.sign(other, ID, AT, BODY)} {SIGNATURE}"
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == (ID, str(AT))


@pytest.mark.parametrize("size", [24, 32, 64])
def test_a_secret_has_24_to_64_bytes(size):
    assert signing.sign(secret_of(size), ID, AT, BODY).startswith("v1,")


@pytest.mark.parametrize("secret", [secret_of(23), secret_of(65), SECRET[6:], "whsec_???", "whsec_"])
def test_another_secret_is_refused_and_never_quoted(secret):
    with pytest.raises(signing.SecretMalformed) as error:
        signing.sign(secret, ID, AT, BODY)
    assert secret == signing.PREFIX or secret not in str(error.value)


def test_a_new_secret_is_never_the_same():
    made = {signing.new_secret() for _ in range(20)}
    assert len(made) == 20
    assert all(len(base64.b64decode(secret.removeprefix("whsec_"))) == 32 for secret in made)


@pytest.mark.parametrize(
    "changed",
    [("msg_other", AT, BODY), (ID, AT + 1, BODY), (ID, AT, BODY + b" ")],
)
def test_id_time_and_body_are_all_signed(changed):
    assert signing.sign(SECRET, *changed) != SIGNATURE
