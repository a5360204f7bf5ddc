"""The index page: what needs work now, and how parcels do; its figures are counted beforehand, by day."""
