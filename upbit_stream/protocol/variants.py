"""The event classes as each wire format writes them.

The public classes carry the short keys and floats, so the default configuration decodes
straight into them. For long keys or Decimals a hidden subclass is made here that differs only
in how it is read: same name, same fields, equal to its public twin, pickled as it.
"""

from __future__ import annotations

import types
from decimal import Decimal
from functools import cache, reduce
from operator import or_
from typing import Any, Union, get_args, get_origin

import msgspec

__all__ = ["wire_variant"]


@cache
def wire_variant(
    cls: type[msgspec.Struct], short_keys: bool, decimals: bool
) -> type[msgspec.Struct]:
    """The class to decode ``cls`` into, for a wire with these keys and these numbers."""
    if short_keys and not decimals:
        return cls
    fields = [
        (
            field.name,
            _translate(field.type, short_keys, decimals),
            _declare(field, short_keys),
        )
        for field in msgspec.structs.fields(cls)
    ]
    variant = msgspec.defstruct(
        cls.__name__,
        fields,
        bases=(cls,),
        module=cls.__module__,
        namespace={"_is_wire_variant": True, "__doc__": cls.__doc__},
        frozen=True,
        kw_only=True,
        gc=False,
    )
    # An older msgspec keeps the inherited names, and then nothing at all would be understood.
    assert short_keys or variant.__struct_encode_fields__[0] == cls.__struct_fields__[0]
    return variant


def _declare(field: msgspec.structs.FieldInfo, short_keys: bool) -> Any:
    # Fields that the wire never carries keep their private name in every format.
    on_wire = not field.encode_name.startswith("@")
    name = field.name if on_wire and not short_keys else field.encode_name
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.field(default_factory=field.default_factory, name=name)
    return msgspec.field(default=field.default, name=name)


def _translate(annotation: Any, short_keys: bool, decimals: bool) -> Any:
    """``annotation`` with floats as Decimals where asked, and nested structs as their variants."""
    if annotation is float:
        return Decimal if decimals else float
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return wire_variant(annotation, short_keys, decimals)
    origin = get_origin(annotation)
    arguments = tuple(_translate(one, short_keys, decimals) for one in get_args(annotation))
    if origin in (Union, types.UnionType):
        return reduce(or_, arguments)
    if origin is tuple:
        return types.GenericAlias(tuple, arguments)
    return annotation
