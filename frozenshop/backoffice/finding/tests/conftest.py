from frozenshop.backoffice.tests.conftest import lead, login, root, service

__all__ = ["lead", "login", "root", "service"]
