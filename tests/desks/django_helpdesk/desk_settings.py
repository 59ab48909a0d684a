"""Django's settings of a small desk: SQLite, mail from one folder and to another, webhooks as the environment states."""

import os
from pathlib import Path

FOLDER = Path(os.environ["DESK_FOLDER"])

DEBUG = False
SECRET_KEY = "only-for-tests-on-this-machine"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "desk_urls"
SITE_ID = 1
USE_TZ = True
TIME_ZONE = "America/St_Johns"  # its API writes times with this offset
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "desk.sqlite", "OPTIONS": {"timeout": 30}},
}
INSTALLED_APPS = [
    *(
        f"django.contrib.{name}"
        for name in ("admin", "auth", "contenttypes", "sessions", "messages", "staticfiles", "sites", "humanize")
    ),
    "helpdesk",
    "rest_framework",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
_CONTEXT = ["django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
            "django.contrib.messages.context_processors.messages"]  # fmt: skip
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": _CONTEXT},
    },
]
STATIC_URL = "/static/"
MEDIA_URL, MEDIA_ROOT = "/media/", FOLDER / "media"
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = FOLDER / "sent"
LOGIN_URL, LOGIN_REDIRECT_URL = "helpdesk:login", "helpdesk:list"

HELPDESK_ACTIVATE_API_ENDPOINT = True
HELPDESK_PUBLIC_ENABLED = True
HELPDESK_TEAMS_MODE_ENABLED = False  # it would need packages more
