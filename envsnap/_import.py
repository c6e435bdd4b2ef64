"""import: what others recorded becomes one partial manifest. Nothing is read or written."""
