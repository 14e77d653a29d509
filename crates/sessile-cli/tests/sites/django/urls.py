"""The admin, and the same behind a second factor."""

from django.contrib import admin
from django.urls import path
from django_otp.admin import OTPAdminSite

urlpatterns = [
    path("admin/", admin.site.urls),
    path("otp/", OTPAdminSite(name="otp").urls),
]
