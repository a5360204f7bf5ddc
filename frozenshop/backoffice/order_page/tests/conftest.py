from frozenshop.backoffice.tests.conftest import lead, login, service, viewer

__all__ = ["lead", "login", "service", "viewer"]
