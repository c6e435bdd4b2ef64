"""pack: the one file to attach to a paper."""
