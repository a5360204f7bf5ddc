"""An app with a table that is in use while it is changed."""
