"""What is measured: a page as a kind of visitor asks for it."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

BARE = "bare"


@dataclass(frozen=True)
class Request:
    path: str
    cookie: str = ""
    # A form's fields make it a POST.
    body: str = ""


@dataclass(frozen=True)
class Target:
    """Requests sent in turn, each answered by `status` with `shows` in the page or its Location."""

    page: str
    visitor: str
    requests: tuple[Request, ...]
    shows: str
    status: int = 200


def dump(targets: Iterable[Target]) -> str:
    return json.dumps([asdict(target) for target in targets])


def load(text: str) -> list[Target]:
    return [
        Target(**row | {"requests": tuple(Request(**request) for request in row["requests"])})
        for row in json.loads(text)
    ]
