"""Nobody gets an answer that was meant for somebody else."""

import pytest
from redis.connection import AbstractConnection

from frozenshop.kernel.tests import stores


class TimeLimit(Exception):
    pass


@pytest.mark.services("redis")
def test_who_is_interrupted_leaves_no_answer_to_the_next(monkeypatch, settings):
    store = stores.use_shared_redis(monkeypatch, settings)

    def interrupted(*args, **kwargs):
        raise TimeLimit

    assert store.ask("ECHO", "first") == b"first"
    with monkeypatch.context() as patch:
        patch.setattr(AbstractConnection, "read_response", interrupted)
        with pytest.raises(TimeLimit):
            store.ask("ECHO", "another's")
    assert store.ask("ECHO", "mine") == b"mine"
    stores.close_stores()
