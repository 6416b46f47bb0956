"""Columns as a polars DataFrame."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl

from upbit_stream.frames.columns import Column, Kind

__all__ = ["make_frame"]

_TYPES: dict[Kind, pl.DataType] = {
    Kind.MOMENT: pl.Datetime("ns", "UTC"),
    Kind.FLOAT: pl.Float64(),
    Kind.INTEGER: pl.Int64(),
    Kind.UNSIGNED: pl.UInt64(),
    Kind.FLAG: pl.Boolean(),
    Kind.CATEGORY: pl.Categorical(),
    Kind.TEXT: pl.String(),
}
# Digits that a decimal of polars has at most.
_DIGITS = 38


def make_frame(columns: list[Column]) -> pl.DataFrame:
    """A DataFrame with every column; it is sorted by the first."""
    frame = pl.DataFrame([_series(column) for column in columns])
    first = columns[0].name
    return frame.with_columns(pl.col(first).set_sorted())


def _series(column: Column) -> pl.Series:
    if column.kind is Kind.DECIMAL:
        return _decimals(column.name, column.values)
    if column.kind is Kind.HUGE:
        whole = [None if value is None else Decimal(value) for value in column.values]
        return _decimals(column.name, whole)
    return pl.Series(column.name, column.values, dtype=_TYPES[column.kind])


def _decimals(name: str, values: list[Any]) -> pl.Series:
    """With as many places as any of them has; as texts if that is more than there can be."""
    parts = [value.as_tuple() for value in values if isinstance(value, Decimal)]
    exponents = [part.exponent for part in parts if isinstance(part.exponent, int)]
    places = max((-exponent for exponent in exponents), default=0)
    whole = max(
        (len(part.digits) + exponent for part, exponent in zip(parts, exponents, strict=True)),
        default=0,
    )
    places, whole = max(places, 0), max(whole, 1)
    if places + whole > _DIGITS:
        texts = [None if value is None else f"{value:f}" for value in values]
        return pl.Series(name, texts, dtype=pl.String())
    return pl.Series(name, values, dtype=pl.Decimal(_DIGITS, places))
