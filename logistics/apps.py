from django.apps import AppConfig


class LogisticsConfig(AppConfig):
    name = "logistics"
    verbose_name = "物流"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from logistics import checks  # noqa: F401 - registers the system checks
