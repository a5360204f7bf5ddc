from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class BackofficeConfig(AppConfig):
    default = True
    name = "frozenshop.backoffice"
    label = "backoffice"
    verbose_name = "后台"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from frozenshop.backoffice.signin import checks  # noqa: F401 - registers the system checks


class StaffAdminConfig(admin_apps.AdminConfig):
    """Django's admin, with our site in place of the default one."""

    default = False
    default_site = "frozenshop.backoffice.site.StaffSite"
