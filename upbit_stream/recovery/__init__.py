"""What a lost connection missed: knowing it, fetching it over REST, telling what is gone."""
