"""What every page of the console is rendered with."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def page(request: HttpRequest, template: str, title: str, context: dict[str, Any]) -> HttpResponse:
    """In the admin's frame: menu, header, messages."""
    return render(request, template, admin.site.each_context(request) | {"title": title} | context)
