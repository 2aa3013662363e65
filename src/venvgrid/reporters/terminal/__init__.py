"""Progress, reports and plans on a terminal."""
