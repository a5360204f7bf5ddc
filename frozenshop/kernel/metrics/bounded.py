"""Work that may hang, done in a thread of its own, so that who asks waits only as long as they like."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Bounded(Generic[_T]):
    """One run at a time: who asks while one hangs waits for that one, and no second is started."""

    def __init__(self, work: Callable[[], _T], name: str) -> None:
        self._work, self._name = work, name
        self._lock = threading.Lock()
        self._under_way: Future[_T] | None = None

    def start(self) -> "Future[_T]":
        with self._lock:
            if self._under_way is None or self._under_way.done():
                begun: Future[_T] = Future()
                # May raise where no thread is left: what never began must not be waited for by all that come after.
                threading.Thread(target=self._run, args=(begun,), name=self._name, daemon=True).start()
                self._under_way = begun
            return self._under_way

    def _run(self, future: "Future[_T]") -> None:
        try:
            future.set_result(self._work())
        except BaseException as error:
            future.set_exception(error)
