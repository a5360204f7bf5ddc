"""What somebody may ask of us about themselves: what we hold of them, and that it goes (docs/runbooks)."""
