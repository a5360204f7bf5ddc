"""Where finished orders go: one compact row each, found by the same keys, and back again byte for byte (docs/archive.md)."""
