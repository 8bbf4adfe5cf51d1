"""Alarm limits of a patient and of a unit: who has set them and why, and what the readings suggest."""
