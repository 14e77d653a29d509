"""Makes the database that every test starts from: `SITE_DATA=DIR python prepare.py`.

The admin's password is random. It is written to DIR/password, for the tests to read; so is the
secret of the second factor, to DIR/otp-secret.
"""

import base64
import os
import secrets

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")

import django

django.setup()

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django_otp.plugins.otp_totp.models import TOTPDevice

# What forms and shells trip over comes first; the random part is what leaks are searched for.
password = "kö&y=%+ " + secrets.token_hex(12)

call_command("migrate", verbosity=0)
user = get_user_model().objects.create_superuser("admin", "admin@example.com", password)
# A code is good once, so a second login waits for the next: five seconds at most.
device = TOTPDevice.objects.create(user=user, name="app", confirmed=True, step=5)


def write(name, text):
    secret_file = os.open(settings.DATA / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(secret_file, "w", encoding="utf-8") as file:
        file.write(text)


write("password", password)
letters = base64.b32encode(device.bin_key).decode()
write("otp-secret", f"otpauth://totp/Django:admin?secret={letters}&period={device.step}\n")
