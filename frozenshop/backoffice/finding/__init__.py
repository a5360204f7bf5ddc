"""How a person finds orders again: what they searched, the views they saved, the columns they chose."""
