"""Events on disk: written while they come, read back as the same events.

=================  ============================================================================
``recorder.py``    ``Recorder``: a callback with a buffer, and the thread that empties it
``writer.py``      what that thread owns: the current part, the manifest, when to rotate
``recovery.py``    what a crash has left: torn tails, journals, a manifest that is behind
``part.py``        a file that is appended to, and is whole again when that fails
``names.py``       how the files of a recording are called, and in which format they are
``lines.py``       an event as a line of JSON, and back
``frames.py``      lines in compressed frames (zstandard)
``parquet.py``     lines as a Parquet file (pyarrow)
``manifest.py``    what a recording holds: files, counts, gaps, drops
``reading.py``     ``read_recording``: every event of every part, in order
``lock.py``        one recorder for a recording
=================  ============================================================================

zstandard and pyarrow come with the extra ``recording``; they are imported by those who use them.
"""

from upbit_stream.recording.names import RecordingFormat
from upbit_stream.recording.reading import read_recording
from upbit_stream.recording.recorder import Recorder, RecorderStats

__all__ = ["Recorder", "RecorderStats", "RecordingFormat", "read_recording"]
