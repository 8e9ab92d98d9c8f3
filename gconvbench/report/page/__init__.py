"""Stored runs as one web page that needs nothing else: no server, no network, no other file."""
