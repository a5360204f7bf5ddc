"""What is needed to run the program elsewhere: image, places, watching, backups, releases."""
