from django.apps import AppConfig


class KernelConfig(AppConfig):
    name = "frozenshop.kernel"
    label = "kernel"
    verbose_name = "系统"
    default_auto_field = "django.db.models.BigAutoField"
