"""A test-only app: consumers whose effect is a row, and processes that kill themselves between two steps."""

urlpatterns: list[object] = []
