"""What `--deep` reads: the libraries, whose they are, what they load and what they say."""
