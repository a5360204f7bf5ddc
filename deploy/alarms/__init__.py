"""The alarms, tried: the shop and its watchers on this machine, one part after the other killed."""
