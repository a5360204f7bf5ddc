"""A test-only app that lets the settlement guard wait for seconds where it waits for minutes."""
