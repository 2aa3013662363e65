# -*- coding: utf-8 -*-
"""venvgrid's probe: a pytest plugin that streams test results and attests what was tested.

Loaded by pytest in the environment of a cell, into which it was copied. `venvgrid.outcomes.probe` activates it by two variables:
PYTEST_ADDOPTS loads it, VENVGRID_PROBE names its specification (a JSON file). It removes both from the environment when it is
loaded, so that tests and the pytest runs that they start see neither of them. It restores them at the end of its session, for
a second session of the same process.

Each process writes a file of its own into the folder "stream", one JSON object a line. "t" is its type: session, collected,
deselected, left, same, start, tried, test, collect, stop, attest,
finish. A pytest-xdist controller writes the results of tests, its workers only their
attestations.

No dependencies, Python 2.7 to 3.15, pytest 4.6 to 9. It must not disturb the tests: hooks never raise, only the configured
process writes, and functions that are needed while tests run are bound beforehand, because tests replace os.open or time.time,
close every file descriptor, and fork. All modules are imported at once: a test may change sys.path.

    plugin         hooks of the start              results       one test from its reports
    session        hooks of a session              stream        the lines and stacks of a process
    switch         the two variables               installed     runs tests inside the package as installed
    measured       coverage of the installed       attestation   interpreter, versions and origins
    reached        which files each test module reaches
    preview        tests that go first; warm runs

In an environment of venvgrid this package is in site-packages, which coverage does not measure. Another interpreter finds it on
PYTHONPATH: there it has no __init__.py, so Python imports it only if nothing else has the name. So a run on the wrong interpreter is
detected as well, but not on Python 2.7, which knows no such packages: there pytest says that it does not find the plugin.
"""
