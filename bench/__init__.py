"""What is measured, and against whom: run it as `python -m bench SCENARIO`."""
