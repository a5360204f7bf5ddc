"""Walking the staff's pages as a person with a browser would: from link to link, and what each page holds inline."""

import re
from collections import deque
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urljoin, urlsplit

from django.http import HttpResponse
from django.test import Client

FORBIDDEN = ("logout", "password", "/account/")
MOST_OF_A_KIND = 3
"""Pages that differ only in numbers, or in the values of their query, are looked at so often."""


class Page(HTMLParser):
    """Links and forms of a page, and what a strict Content-Security-Policy would not run or show."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        if tag == "style" or (tag == "script" and not given.get("src") and given.get("type") != "application/json"):
            self.inline.append(f"<{tag}>")
        for name, value in attrs:
            if name == "style" or name.startswith("on"):
                self.inline.append(f"<{tag} {name}={value!r}>")
            if str(value).strip().lower().startswith("javascript:"):
                self.inline.append(f"<{tag} {name}={value!r}>")

    handle_startendtag = handle_starttag


def kind_of(url: str) -> str:
    parts = urlsplit(url)
    names = ",".join(sorted({name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}))
    return re.sub(r"\d+", "#", parts.path) + "?" + names


def body_of(answer: HttpResponse) -> str:
    whole = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return whole.decode("utf-8", "replace")


def walk(client: Client, starts: list[str], most: int = 300) -> Iterator[tuple[str, HttpResponse, str]]:
    """Yield address, answer and body of each page that links lead to, the starts first."""
    waiting, seen, kinds = deque(starts), set(starts), dict.fromkeys(map(kind_of, starts), 1)
    while waiting and most:
        url, most = waiting.popleft(), most - 1
        answer = client.get(url)
        body = body_of(answer)
        yield url, answer, body
        if answer.status_code in (301, 302):
            links = [answer["Location"]]
        elif answer["Content-Type"].startswith("text/html"):
            links = Page(body).links
        else:
            links = []
        for link in links:
            goal = urljoin(url, link).partition("#")[0]
            kind = kind_of(goal)
            if not goal.startswith("/admin/") or any(word in goal for word in FORBIDDEN) or goal in seen:
                continue
            if kinds.setdefault(kind, 0) < MOST_OF_A_KIND:
                kinds[kind] += 1
                seen.add(goal)
                waiting.append(goal)
