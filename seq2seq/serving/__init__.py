"""A translation server that LibreTranslate's clients speak to, with a page for people.

From a request to a translation: `app.py` (routes) -> `requests.py` (what is asked, checked) -> `answers.py` (texts to
lines and back) -> `batching.py` (lines of many requests, translated together) -> `models.py` (one language pair each).
"""
