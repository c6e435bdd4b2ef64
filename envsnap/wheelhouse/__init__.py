"""Every package of an environment as a file: fetched, built, or made again. A door to the world."""
