"""What the screen shows: pure functions from a state to lines of text.

===============  ===================================================================
``picture.py``   everything that is shown at one moment, and the frame around it
``table.py``     a row for each code
``book.py``      the order book of a code, with bars for its depth
``tape.py``      the trades, the newest first
``chart.py``     the candles of a code
``helping.py``   the keys
``drawing.py``   all of it together
===============  ===================================================================

Every line is drawn as text with styles, and not through rich's tables: they look at each cell a
character, so this is a tenth of the work, and what does not fit is left out by rule instead of
being squeezed.
"""
