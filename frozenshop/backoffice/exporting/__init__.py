"""Exports of lists: batches whose rows are stretches of a list, and whose file grows by a piece with each of them.

The list is cut into stretches by its keys, so that nothing is held in memory and a killed worker goes on where it
stood: a stretch's piece of the file and the stretch's end are one transaction.
"""
