"""Columns as a pandas DataFrame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from upbit_stream.frames.columns import Column, Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["make_frame"]


def make_frame(columns: list[Column]) -> pd.DataFrame:
    """A DataFrame whose index is the first column."""
    time, *others = columns
    index = pd.DatetimeIndex(_moments(time.values), name=time.name).tz_localize("UTC")
    data = {column.name: _array(column) for column in others}
    # All at once: so many columns one by one would be in so many pieces.
    frame: pd.DataFrame = pd.DataFrame(data, index=index)
    return frame


def _array(column: Column) -> Any:
    values = column.values
    if column.kind is Kind.MOMENT:
        return pd.DatetimeIndex(_moments(values)).tz_localize("UTC")
    if column.kind is Kind.FLOAT:
        return np.array(values, dtype=np.float64)  # None becomes NaN
    if column.kind is Kind.INTEGER:
        # The plain one where it can be: with NaN it would be a float, and ids lose digits.
        return pd.array(values, dtype="Int64" if None in values else "int64")
    if column.kind is Kind.UNSIGNED:
        return pd.array(values, dtype="UInt64" if None in values else "uint64")
    if column.kind is Kind.FLAG:
        return pd.array(values, dtype="boolean")
    if column.kind is Kind.CATEGORY:
        return pd.Categorical(values, categories=list(column.categories))
    if column.kind is Kind.TEXT:
        return pd.array(values, dtype="string")
    exact = np.empty(len(values), dtype=object)
    exact[:] = values
    return exact


def _moments(values: list[Any]) -> NDArray[np.datetime64]:
    nothing = np.iinfo(np.int64).min  # NaT
    whole = np.array([nothing if value is None else value for value in values], dtype=np.int64)
    return whole.view("datetime64[ns]")
