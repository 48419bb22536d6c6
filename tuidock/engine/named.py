"""Named: tuples with named fields, for every value that a short command makes.

To a type checker it is typing.NamedTuple. At run time it is not, because that compiles source text for each class and
imports typing, re and enum: with the engine's fifty classes, `tuidock ps` spent twice the time of its work on it.
"""

from __future__ import annotations

__all__ = ["Named"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple as Named
else:
    from _collections import _tuplegetter

    class _NamedType(type):
        """Turns annotations into fields and the values beside them into defaults."""

        def __new__(mcs, name, bases, namespace):
            fields = tuple(namespace.get("__annotations__", ()))
            defaults = {field: namespace.pop(field) for field in fields if field in namespace}
            for index, field in enumerate(fields):
                namespace[field] = _tuplegetter(index, None)
            namespace.update(__slots__=(), _fields=fields, _field_defaults=defaults, __match_args__=fields)
            return super().__new__(mcs, name, bases, namespace)

    class Named(tuple, metaclass=_NamedType):
        """What collections.namedtuple gives, in the parts that are used here."""

        def __new__(cls, *values, **named):
            fields = cls._fields
            if len(values) == len(fields) and not named:
                return tuple.__new__(cls, values)
            if len(values) > len(fields):
                raise TypeError(f"{cls.__name__} has {len(fields)} fields, {len(values)} values were given")
            complete = {**cls._field_defaults, **dict(zip(fields, values, strict=False))}
            for field, value in named.items():
                if field not in fields or field in fields[: len(values)]:
                    raise TypeError(f"{cls.__name__} takes no further value for {field!r}")
                complete[field] = value
            try:
                return tuple.__new__(cls, [complete[field] for field in fields])
            except KeyError as error:
                raise TypeError(f"{cls.__name__} needs a value for {error}") from None

        @classmethod
        def _make(cls, values):
            return cls(*values)

        def _replace(self, **changes):
            unknown = set(changes) - set(self._fields)
            if unknown:
                raise ValueError(f"{type(self).__name__} has no field {', '.join(sorted(unknown))}")
            return tuple.__new__(type(self), [changes.get(f, v) for f, v in zip(self._fields, self, strict=True)])

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def __getnewargs__(self):
            return tuple(self)

        def __repr__(self):
            shown = ", ".join([f"{field}={value!r}" for field, value in self._asdict().items()])
            return f"{type(self).__name__}({shown})"
