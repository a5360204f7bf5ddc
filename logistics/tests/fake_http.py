"""A stand-in for the one HTTP seam: it records what was asked and plays back what was prepared."""

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import requests


def answer(content: Any, status: int = 200) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    response._content = text.encode()
    return response


@dataclass
class FakeHttp:
    """`answers` are played in turn, the last one for ever; an exception among them is raised."""

    answers: deque[Any] = field(default_factory=deque)
    calls: list[dict[str, Any]] = field(default_factory=list)

    def will_answer(self, *answers: Any) -> None:
        self.answers = deque(answers)

    def call(self, service: str, method: str, url: str, **options: Any) -> requests.Response:
        self.calls.append({"service": service, "method": method, "url": url, **options})
        content = self.answers.popleft() if len(self.answers) > 1 else self.answers[0]
        if isinstance(content, Exception):
            raise content
        return content if isinstance(content, requests.Response) else answer(content)
