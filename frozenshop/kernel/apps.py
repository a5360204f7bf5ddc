from django.apps import AppConfig


class KernelConfig(AppConfig):
    name = "frozenshop.kernel"
    label = "kernel"
    verbose_name = "系统"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from frozenshop.kernel import backups, checks  # noqa: F401 - registers the system checks
        from frozenshop.kernel.logstore import checks as log_checks  # noqa: F401 - likewise
        from frozenshop.kernel.outbox import checks as outbox_checks  # noqa: F401 - likewise
