"""Devices: whether they are there, whether their clocks are right, and alarms about the measuring itself."""
