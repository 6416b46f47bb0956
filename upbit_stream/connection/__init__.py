"""One physical connection: its I/O thread, its states, how it is kept alive and healed.

Start with ``connection`` (the life across many sockets), then ``session`` (one socket's life);
``causes`` says what each kind of loss means, ``retry`` how long to wait, ``router`` who gets
which event.
"""
