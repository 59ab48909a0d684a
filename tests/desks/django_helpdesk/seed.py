"""Makes the queue, the people and a custom field of the desk. Runs once, in the desk's own virtual environment."""

import os
from pathlib import Path

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402  after the set-up
from helpdesk.models import CustomField, Queue  # noqa: E402

inbox = Path(os.environ["DESK_FOLDER"]) / "inbox"
inbox.mkdir(exist_ok=True)
users = get_user_model().objects
for name in ("ines", "otto", "breachwatch"):
    users.create_superuser(name, f"{name}@desk.example", f"{name}-password-1")
Queue.objects.create(
    title="Helpdesk",
    slug="helpdesk",
    email_address="help@desk.example",
    allow_public_submission=True,
    allow_email_submission=True,
    email_box_type="local",
    email_box_local_dir=f"{inbox}/",
    email_box_interval=0,
)
for name in ("contract", "sla_due", "sla_state"):
    CustomField.objects.create(name=name, label=name, data_type="varchar", max_length=64, required=False)
