"""Random faults, and a judge who knows every trade: ``python -m tests.chaos --help``."""
