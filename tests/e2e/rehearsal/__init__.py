"""Rehearsals: runners that execute the steps of an emitted pipeline as its vendor documents, on this machine.

What they know of a vendor is what our pipelines use; anything else is an error, not a pass.
"""
