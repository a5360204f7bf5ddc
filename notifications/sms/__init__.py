"""SMS: the services' signatures, their errors by class, delivery reports, and codes that prove a phone."""
