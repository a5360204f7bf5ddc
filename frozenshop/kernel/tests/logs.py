"""Logs in tests: a writer that is flushed by hand, over the store that the settings name."""

from frozenshop.kernel.logstore import stores, writer


class ByHand(writer.Writer):
    """A writer without a thread."""

    def _start(self):
        pass


def use(monkeypatch, settings, *, var_dir, mongodb_url="", kinds=("raw", "call", "access", "exchange")):
    """Let the kernel write logs; return the writer, to be flushed."""
    settings.LOG_KINDS, settings.MONGODB_URL, settings.VAR_DIR = list(kinds), mongodb_url, var_dir
    stores._store.cache_clear()
    made = ByHand()
    monkeypatch.setattr(writer, "_writer", made)
    return made


def close():
    """Hang up, so that no socket is left to the garbage collector."""
    store = stores.current()
    if hasattr(store, "close"):
        store.close()
    stores._store.cache_clear()
