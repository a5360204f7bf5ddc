"""Bringing a version out for a growing part of the requests, judged by Prometheus, and taking it back.

`python3 -m deploy.release --help`. Only the standard library, so that it runs where the program doesn't.
"""
