"""Distributions by the modules, options of pytest and fixtures that they provide."""

# Options of pytest, in its configuration, and the plugins that have them.
PLUGINS = (
    (r"--cov\b|--no-cov", "pytest-cov"),
    (r"(?:^|\s)(?:-n[ =]?(?:auto|logical|\d)|--dist\b|--numprocesses)", "pytest-xdist"),
    (r"^asyncio_mode|^asyncio_default", "pytest-asyncio"),
    (r"^timeout|--timeout", "pytest-timeout"),
    (r"^DJANGO_SETTINGS_MODULE|^django_find_project", "pytest-django"),
    (r"^trio_mode", "pytest-trio"),
    (r"--benchmark", "pytest-benchmark"),
    (r"^env\b", "pytest-env"),
    (r"^mock_use_standalone_module|^mock_traceback", "pytest-mock"),
    (r"--reruns|^reruns", "pytest-rerunfailures"),
    (r"--randomly|-p randomly", "pytest-randomly"),
    (r"--mypy", "pytest-mypy"),
    (r"--doctest-plus|^doctest_plus", "pytest-doctestplus"),
    (r"^remote_data_strict|--remote-data", "pytest-remotedata"),
    (r"--check-links", "pytest-check-links"),
    (r"--disable-socket|--allow-hosts", "pytest-socket"),
)
# Modules that tests import and that are no part of a project, by the distributions that have them.
MODULES = {
    **{name: name for name in (
        "hypothesis", "mock", "freezegun", "responses", "pretend", "sybil", "numpy", "requests", "httpx", "coverage",
        "trio", "anyio", "parameterized", "ddt", "testfixtures", "flaky", "nose", "simplejson", "ujson", "orjson",
        "pandas", "lxml", "pytz", "toml", "tomli", "aiohttp", "psutil", "betamax", "moto", "gevent", "greenlet",
        "exceptiongroup", "cryptography", "django", "flask", "jinja2", "setuptools", "pip", "wheel", "virtualenv",
        "attrs", "subprocess_tee", "syrupy", "pexpect", "tox", "nox", "docutils", "sphinx", "twisted", "werkzeug",
        "redis", "tornado",
    )},
    "pytest_mock": "pytest-mock", "pytest_asyncio": "pytest-asyncio", "pytest_httpserver": "pytest-httpserver",
    "pytest_subtests": "pytest-subtests", "pytest_lazyfixture": "pytest-lazy-fixture", "requests_mock": "requests-mock",
    "jwt": "PyJWT", "bs4": "beautifulsoup4", "sklearn": "scikit-learn", "cv2": "opencv-python", "git": "GitPython",
    "serial": "pyserial", "zmq": "pyzmq", "dotenv": "python-dotenv", "OpenSSL": "pyOpenSSL", "jose": "python-jose",
    "attr": "attrs", "yaml": "PyYAML", "dateutil": "python-dateutil", "faker": "Faker", "factory": "factory-boy",
    "dirty_equals": "dirty-equals", "time_machine": "time-machine", "vcr": "vcrpy", "PIL": "Pillow",
    "typing_extensions": "typing-extensions", "pkg_resources": "setuptools<81", "babel": "Babel",
    "markupsafe": "MarkupSafe", "bson": "pymongo",
    "docker": "docker", "boto3": "boto3", "inline_snapshot": "inline-snapshot", "zope.interface": "zope.interface",
    "pytest_cov": "pytest-cov", "pytest_localserver": "pytest-localserver", "_pytest": "pytest",
}  # fmt: skip
# Fixtures that a plugin provides: a test asks for them by the name of a parameter.
FIXTURES = {
    "mocker": "pytest-mock", "httpserver": "pytest-httpserver", "benchmark": "pytest-benchmark",
    "requests_mock": "requests-mock",
    "httpbin": "pytest-httpbin", "faker": "Faker", "subtests": "pytest-subtests", "snapshot": "syrupy",
    "freezer": "pytest-freezer",
    "datadir": "pytest-datadir", "time_machine": "time-machine",
}  # fmt: skip
