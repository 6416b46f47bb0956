"""From a connection to the person's code: queues, dispatch threads, notices."""
