"""Capsules: all that a red cell leaves behind, so that it can be run again on another machine."""
