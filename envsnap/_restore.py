"""restore: a manifest becomes a native environment, compared before it is said to be done."""
