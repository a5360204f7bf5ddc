"""How dates read where Django writes them: as on every page of our own, short enough for a list's column."""
