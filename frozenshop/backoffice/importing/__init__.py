"""Spreadsheets of orders, waybills and corrections, taken in by a person: matched, tried, run, and taken back.

    upload → match of columns → dry run (a job that writes nothing but its report) → run (a job) → undo (a job)

Two batches stand behind it: the import itself, whose rows are what will be done, and the check that makes these rows.
"""
