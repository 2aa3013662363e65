"""Why tests failed or did not run: tools' last errors, tracebacks, the distributions to blame, and the way out."""
