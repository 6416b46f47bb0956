"""``python -m upbit_stream``: the command line, also where scripts are not on the path."""

from __future__ import annotations

import sys

from upbit_stream.cli import main

if __name__ == "__main__":
    sys.exit(main())
