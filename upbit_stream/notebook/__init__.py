"""What a notebook adds: values that show as HTML, the live widget, cells that may be run again.

Nothing here is imported before something is shown in a notebook, or a kernel runs.
"""
