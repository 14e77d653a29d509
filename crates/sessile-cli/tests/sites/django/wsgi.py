"""The site as gunicorn runs it, with a log of who logged in and who was refused."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")

from django.conf import settings
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()


def log(line):
    # One write of one short line to a file opened for appending: whole, whoever else writes.
    with open(settings.LOGIN_LOG, "a", encoding="utf-8") as file:
        file.write(line + "\n")


def log_login(user, **_):
    log(f"logged in {user.get_username()}")


def log_refusal(credentials, **_):
    log(f"refused {credentials.get('username')}")


# A signal keeps weak references; these two live as long as this module does.
user_logged_in.connect(log_login)
user_login_failed.connect(log_refusal)
