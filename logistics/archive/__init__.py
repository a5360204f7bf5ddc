"""Where finished orders go: one compact row each, found by the same keys, and back as they were (docs/archive.md)."""
