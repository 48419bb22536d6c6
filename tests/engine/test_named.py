"""Named behaves as typing.NamedTuple does."""

from __future__ import annotations

import copy
import pickle

import pytest

from tuidock.engine.named import Named


class Point(Named):
    """A value with defaults and a method."""

    x: int
    y: int = 2
    tags: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.x}/{self.y}"


def test_fields_by_place_and_name() -> None:
    assert Point(1) == (1, 2, ()) == Point(x=1) == Point(1, y=2)
    assert Point(1, 5).y == 5 and str(Point(3)) == "3/2"
    x, y, tags = Point(1, 2, ("a",))
    assert (x, y, tags) == (1, 2, ("a",))
    assert Point._fields == ("x", "y", "tags")
    assert repr(Point(1)) == "Point(x=1, y=2, tags=())"


def test_values_do_not_change() -> None:
    point = Point(1)
    with pytest.raises(AttributeError):
        point.x = 5  # type: ignore[misc]
    assert not hasattr(point, "__dict__")
    assert point._replace(y=9) == (1, 9, ()) and point == (1, 2, ())
    assert point._asdict() == {"x": 1, "y": 2, "tags": ()}
    assert hash(point) == hash(Point(1)) and sorted([Point(2), point])[0] is point


def test_wrong_fields_are_errors() -> None:
    for values, named in (((), {}), ((1, 2, (), 4), {}), ((1,), {"x": 2}), ((1,), {"z": 2})):
        with pytest.raises(TypeError):
            Point(*values, **named)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="z"):
        Point(1)._replace(z=1)  # type: ignore[call-arg]


def test_copies_and_patterns() -> None:
    point = Point(1, 2, ("a",))
    assert pickle.loads(pickle.dumps(point)) == point and type(copy.deepcopy(point)) is Point
    match point:
        case Point(x, _, (tag,)):
            assert (x, tag) == (1, "a")
