"""Installed distributions, cached once and shared by the environments that need them."""
