"""The routes as they serve: taken from the app itself, so that none can be missed."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from chalicelib.chat import shapes as of_chats
from chalicelib.onboarding import shapes as of_onboarding
from chalicelib.routes import model_shapes, native_shapes, shapes
from chalicelib.routes.boundary import Route
from chalicelib.routes.exchange import EventStream, Reply

if TYPE_CHECKING:
    from chalice.app import Chalice


@dataclass(frozen=True)
class Answer:
    """What a view says that it answers: the shape of its body, and whether it may stream instead."""

    shape: Any
    streams: bool


def routes(app: Chalice) -> dict[str, Route]:
    """Return the routes by method and path; preflights, which every path has, are left out.

    Raises `TypeError` for a route that was not registered through routes/boundary.py.
    """
    found: dict[str, Route] = {}
    for path, methods in app.routes.items():
        for method, entry in methods.items():
            if method == "OPTIONS":
                continue
            if not isinstance(entry.view_function, Route):
                raise TypeError(f"{method} {path} was not registered through chalicelib/routes/boundary.py")
            found[f"{method} {path}"] = entry.view_function
    return found


def answer_of(route: Route) -> Answer:
    """Return what the view's return annotation names. Raises `TypeError` when it names no shape."""
    view = inspect.unwrap(route.view)
    annotation = inspect.get_annotations(view).get("return")
    # The names of shapes are imported for type checking alone, so they are looked up where they are made.
    names = {**vars(of_chats), **vars(of_onboarding), **vars(sys.modules[view.__module__])}
    names |= {"shapes": shapes, "model_shapes": model_shapes, "native_shapes": native_shapes}
    names |= {"Reply": Reply, "EventStream": EventStream}
    kind = eval(annotation, names) if isinstance(annotation, str) else annotation  # noqa: S307  our own source
    parts = get_args(kind) if get_origin(kind) in {Union, UnionType} else (kind,)
    bodies = [get_args(part)[0] for part in parts if get_origin(part) is Reply]
    if not bodies:
        raise TypeError(
            f"{route.method} {route.path}: its view must say what it answers, as in `-> Reply[shapes.ConnectionRow]`;"
            " write the shape in chalicelib/routes/shapes.py"
        )
    return Answer(bodies[0], streams=EventStream in parts)


def words_of(route: Route) -> tuple[str, str]:
    """Return the first sentence of the view's docstring, and the rest. Raises `TypeError` when there is none."""
    text = " ".join((inspect.getdoc(route.view) or "").split())
    if not text:
        raise TypeError(f"{route.method} {route.path}: its view needs a docstring, which the OpenAPI document shows")
    first, _, rest = text.partition(". ")
    return first.removesuffix("."), rest
