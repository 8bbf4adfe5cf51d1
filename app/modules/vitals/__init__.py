"""Vital signs: taken from devices, stored, handed to the rules, and shown live."""
