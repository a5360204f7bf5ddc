"""Work on many orders that a person asked for: as a job with progress, a report by row, and where it can be, an undo.

    begin → rows written → (approved) → queued → run in bounded stretches by the worker → done, with a report

A row's effect and the row's own end are one transaction: killed at any moment, the job goes on where it stood, and no
row is done twice.
"""
