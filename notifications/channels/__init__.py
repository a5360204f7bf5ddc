"""Ways to reach somebody, each behind the one contract of `base`."""
