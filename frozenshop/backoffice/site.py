"""The staff's admin site."""

from django.contrib.admin import AdminSite


class StaffSite(AdminSite):
    site_header = site_title = "冻品订单跟踪"
    index_title = "今日工作"
