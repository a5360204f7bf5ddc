from frozenshop.backoffice.tests.conftest import login, root, service
from logistics.tests.conftest import frozen

__all__ = ["frozen", "login", "root", "service"]
