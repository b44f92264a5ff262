"""Compiled from protos/: see protos/README.md."""
