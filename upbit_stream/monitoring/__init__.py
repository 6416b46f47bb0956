"""Looking after the streams of a process: health, watchdog, diagnostics."""
