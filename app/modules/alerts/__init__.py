"""Alerts: what is raised, who is told, who took it on, and what happens when nobody does."""
