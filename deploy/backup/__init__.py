"""Backups of the database, its binary log, the keys, the log store and files, and their restoration to a chosen second.

A program of its own beside the site: it needs Python's standard library, `cryptography`, `pymongo`, MariaDB's tools
and restic, and nothing of the project. docs/backup.md says how it is used.
"""
