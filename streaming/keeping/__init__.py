"""Keeping a deployment's data: backups, restoring them, moving from one database to another.

Used by commands only. Nothing is believed that was not read again: what was written is compared with what it is of.
"""
