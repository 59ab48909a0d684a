"""From the exports of helpdesks to ticket events."""
