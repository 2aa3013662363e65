"""What an investigation found: on one screen, in a report, as JSON, and for the tracker of the project to blame."""
