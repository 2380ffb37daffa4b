"""Tables that come with halobench; `NOTICE` says whose figures they are."""
