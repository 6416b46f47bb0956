"""Looking at a stream from outside: how well it does, and what is wrong when it does not."""
