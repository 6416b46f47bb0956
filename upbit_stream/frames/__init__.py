"""Events as data frames of pandas or polars.

=================== ==========================================================================
``columns.py``      which columns the events of a type have, and what is in them
``pandas_frame.py`` columns as a pandas DataFrame
``polars_frame.py`` columns as a polars DataFrame
=================== ==========================================================================

The functions take any events of one type: those that a subscription has kept
(:meth:`Subscription.to_frame` calls them), a list of your own, a recording::

    to_frame(event for event in read_recording("trades.jsonl.zst") if event.type == "trade")

A frame has a row for each event, in the order of time (events of one moment in the order in which
they came), and a column for each field under the name that it has in the event. Then:

* The time of a row is the index in pandas, named ``time``, and the first column in polars: of
  trades ``trade_timestamp``, of candles and indicators the start of the candle, of all others
  ``timestamp``. It is in UTC, as is every other column of times.
* Numbers are float64, ids and counts int64 (Int64 where one is missing, uint64 where one is too
  large for it), sides, codes and other texts of which there are a few categories. Exact numbers
  (``numbers="decimal"``) are :class:`decimal.Decimal` objects in pandas and ``Decimal`` in polars.
  What the exchange left out is NaN, NaT, NA or null.
* Left out are ``type``, and texts that say again what is there as a time.
* An order book is one row: ``best_bid``, ``best_ask``, ``spread``, ``mid``, and behind the fields
  of the book ``bid_price_1``, ``bid_size_1``, ``ask_price_1``, ``ask_size_1``, ``bid_price_2`` …; a
  side with fewer rows than another has NaN there.
* Balances (``myAsset``) have a row for each currency. Parameters and values of indicators have
  columns such as ``params_period`` and ``value_rsi``.

pandas comes with the extra ``notebook``; polars is used where it is installed.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from upbit_stream.events import Event
from upbit_stream.frames.columns import columns_of

if TYPE_CHECKING:
    import pandas
    import polars

__all__ = ["to_frame", "to_pandas", "to_polars"]


def to_frame(events: Iterable[Event], cls: type[Event] | None = None) -> Any:
    """``events`` of one type as a pandas DataFrame, or as one of polars where pandas is not
    installed.

    ``cls`` is their class: it makes an empty frame of no events have its columns, too. Raises
    ``ValueError`` for events of several types, ``ImportError`` when neither is installed.
    """
    if find_spec("pandas") is not None:
        return to_pandas(events, cls)
    if find_spec("polars") is not None:
        return to_polars(events, cls)
    raise ImportError(
        'a data frame needs pandas or polars: pip install "upbit-stream[notebook]" (pandas), or '
        "pip install polars"
    )


def to_pandas(events: Iterable[Event], cls: type[Event] | None = None) -> pandas.DataFrame:
    """As :func:`to_frame`, of pandas in any case."""
    try:
        from upbit_stream.frames.pandas_frame import make_frame
    except ImportError as error:
        raise ImportError(
            'this data frame needs pandas: pip install "upbit-stream[notebook]"'
        ) from error
    return make_frame(columns_of(events, cls))


def to_polars(events: Iterable[Event], cls: type[Event] | None = None) -> polars.DataFrame:
    """As :func:`to_frame`, of polars in any case."""
    try:
        from upbit_stream.frames.polars_frame import make_frame
    except ImportError as error:
        raise ImportError("this data frame needs polars: pip install polars") from error
    return make_frame(columns_of(events, cls))
