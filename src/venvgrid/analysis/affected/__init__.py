"""What an edit can reach: the order of tests and cells after it. Nothing here proves that a test is not affected."""
