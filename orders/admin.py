"""Categories, products and buyers. Orders and alerts stand in the back office, which sees shipments too."""

from django.contrib import admin
from django.http import HttpRequest

from frozenshop.kernel.changelist import BaseAdmin, ReadOnlyAdmin
from orders.models import Customer, Product, ProductCategory


@admin.register(ProductCategory)
class ProductCategoryAdmin(BaseAdmin[ProductCategory]):
    keyset = ("code",)
    list_display = ("code", "name", "temperature_class")
    list_filter = ("temperature_class",)
    search_fields = ("^code",)
    search_help_text = "编码开头"


@admin.register(Product)
class ProductAdmin(BaseAdmin[Product]):
    keyset = ("sku",)
    list_display = ("sku", "name", "category", "temperature_class", "max_storage_c", "shelf_life_days")
    list_filter = ("temperature_class", "category")
    list_select_related = ("category",)
    search_fields = ("^sku",)
    search_help_text = "商品编码开头"
    autocomplete_fields = ("category",)


@admin.register(Customer)
class CustomerAdmin(ReadOnlyAdmin[Customer]):
    """Buyers without personal data: what they verified and when, never the number itself."""

    list_display = ("__str__", "has_openid", "has_phone", "phone_verified_at", "created_at")
    fields = ("has_openid", "has_phone", "phone_verified_at", "created_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Customer | None = None) -> tuple[str, ...]:
        return self.fields

    @admin.display(description="微信", boolean=True)
    def has_openid(self, customer: Customer) -> bool:
        return bool(customer.openid)

    @admin.display(description="已验证手机", boolean=True)
    def has_phone(self, customer: Customer) -> bool:
        return bool(customer.phone_index)
