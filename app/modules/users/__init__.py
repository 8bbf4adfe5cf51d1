"""Accounts: who there is, what roles they are given, and their passwords."""
