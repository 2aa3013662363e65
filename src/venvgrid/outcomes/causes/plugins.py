"""Which distribution provides an option, a setting, a marker, a fixture or a module. Data.

Only names that one distribution is known for are listed: "client" is a fixture of many.
"""

from __future__ import annotations

from venvgrid.model.names import normalise

_OPTIONS = {
    "pytest-cov": "--cov --no-cov",
    "pytest-xdist": "-n --numprocesses --dist --tx --maxprocesses --max-worker-restart --loadgroup --rsyncdir",
    "pytest-timeout": "--timeout --session-timeout",
    "pytest-asyncio": "--asyncio",
    "pytest-benchmark": "--benchmark",
    "pytest-rerunfailures": "--reruns --only-rerun --rerun-except",
    "flaky": "--no-flaky-report --force-flaky --max-runs --min-passes",
    "pytest-randomly": "--randomly",
    "pytest-random-order": "--random-order",
    "pytest-html": "--html --self-contained-html",
    "pytest-json-report": "--json-report",
    "pytest-mypy": "--mypy",
    "pytest-mypy-plugins": "--mypy-ini-file --mypy-pyproject-toml-file --mypy-testing-base --mypy-same-process",
    "pytest-flake8": "--flake8",
    "pytest-black": "--black",
    "pytest-isort": "--isort",
    "pytest-pylint": "--pylint",
    "pytest-ruff": "--ruff",
    "pytest-django": "--ds --dc --reuse-db --create-db --nomigrations --no-migrations --migrations",
    "pytest-mpl": "--mpl",
    "pytest-doctestplus": "--doctest-plus --doctest-rst --doctest-only --text-file-format",
    "pytest-remotedata": "--remote-data",
    "pytest-astropy-header": "--astropy-header",
    "pytest-forked": "--forked --boxed",
    "pytest-instafail": "--instafail",
    "syrupy": "--snapshot-update --snapshot-details --snapshot-warn-unused --snapshot-default-extension",
    "inline-snapshot": "--inline-snapshot",
    "pytest-socket": "--disable-socket --allow-hosts --allow-unix-socket --force-enable-socket",
    "pytest-recording": "--block-network --record-mode --allowed-hosts --disable-recording",
    "hypothesis": "--hypothesis",
    "pytest-run-parallel": "--parallel-threads --iterations --skip-thread-unsafe --mark-ctypes-as-unsafe",
    "pytest-testmon": "--testmon",
    "nbval": "--nbval",
    "nbmake": "--nbmake",
    "pytest-split": "--splits --group --store-durations --durations-path --splitting-algorithm",
    "allure-pytest": "--alluredir --allure",
    "pytest-memray": "--memray --most-allocations",
    "pytest-codspeed": "--codspeed",
    "pytest-repeat": "--count --repeat-scope",
    "pytest-playwright": "--headed --browser --slowmo --tracing",
    "pytest-base-url": "--base-url",
    "pytest-order": "--order-scope --sparse-ordering --indulgent-ordering",
    "pytest-aiohttp": "--aiohttp-fast",
    "pytest-sugar": "--force-sugar --old-summary",
    "pytest-bdd": "--gherkin-terminal-reporter --cucumberjson",
    "typeguard": "--typeguard",
    "xdoctest": "--xdoctest --xdoc",
    "pytest-tap": "--tap",
    "pytest-picked": "--picked",
}
_SETTINGS = {
    "pytest-asyncio": "asyncio_mode asyncio_default_fixture_loop_scope asyncio_default_test_loop_scope asyncio_debug",
    "pytest-timeout": "timeout timeout_method timeout_func_only session_timeout",
    "pytest-django": "DJANGO_SETTINGS_MODULE DJANGO_CONFIGURATION django_find_project",
    "pytest-env": "env",
    "pytest-dotenv": "env_files env_override_existing_values",
    "pytest-mock": "mock_use_standalone_module mock_traceback_monkeypatch",
    "pytest-qt": "qt_api qt_log_level_fail qt_log_ignore qt_default_raising qt_no_exception_capture",
    "pytest-doctestplus": "doctest_plus doctest_norecursedirs doctest_rst doctest_subpackage_requires text_file_format",
    "pytest-remotedata": "remote_data_strict",
    "pytest-mpl": "mpl mpl-baseline-path mpl-results-path mpl-use-full-test-name mpl-deterministic",
    "pytest-bdd": "bdd_features_base_dir bdd_strict_gherkin",
    "pytest-datadir": "datadir",
    "pytest-rerunfailures": "reruns reruns_delay",
    "pytest-httpserver": "httpserver_listen_address",
    "anyio": "anyio_mode",
    "pytest-xdist": "looponfailroots rsyncdirs rsyncignore",
    "hypothesis": "hypothesis-profile",
    "pytest-randomly": "randomly_seed",
    "pytest-socket": "disable_socket",
    "pytest-mypy-plugins": "mypy_plugins",
    "time-machine": "time_machine_naive_mode",
}
_FIXTURES = {
    "pytest-mock": "mocker class_mocker module_mocker package_mocker session_mocker",
    "pytest-benchmark": "benchmark benchmark_weave",
    "pytest-httpserver": "httpserver make_httpserver",
    "pytest-localserver": "smtpserver",
    "pytest-httpx": "httpx_mock",
    "requests-mock": "requests_mock",
    "respx": "respx_mock respx_router",
    "pytest-freezer": "freezer",
    "time-machine": "time_machine",
    "faker": "faker",
    "syrupy": "snapshot_json",
    "pytest-regressions": "data_regression file_regression num_regression dataframe_regression image_regression "
    "ndarrays_regression",
    "pytest-datadir": "shared_datadir original_datadir lazy_datadir lazy_shared_datadir",
    "pytest-asyncio": "event_loop event_loop_policy unused_tcp_port unused_tcp_port_factory",
    "pytest-aiohttp": "aiohttp_client aiohttp_server aiohttp_raw_server",
    "pytest-django": "db transactional_db django_db_setup django_user_model admin_client admin_user rf live_server "
    "django_assert_num_queries django_assert_max_num_queries",
    "pytest-qt": "qtbot qapp qtmodeltester",
    "pytest-xdist": "worker_id testrun_uid",
    "pytest-subtests": "subtests",
    "pyfakefs": "fs fs_module fs_session",
    "pytest-postgresql": "postgresql postgresql_proc",
    "pytest-redis": "redisdb redis_proc",
    "pytest-docker": "docker_services docker_ip",
    "pytest-console-scripts": "script_runner",
    "pytest-playwright": "browser_context_args new_context",
    "anyio": "anyio_backend anyio_backend_name",
    "pytest-trio": "nursery autojump_clock",
    "pytest-subprocess": "fp fake_process",
    "pytest-vcr": "vcr_cassette_name",
    "pytest-recording": "vcr_config vcr_markers block_network",
    "pytest-pyvista": "verify_image_cache",
    "logot": "logot",
    "pytest-structlog": "log",
}
_MARKERS = {
    "pytest-asyncio": "asyncio",
    "anyio": "anyio",
    "pytest-trio": "trio",
    "pytest-django": "django_db urls ignore_template_errors",
    "pytest-timeout": "timeout",
    "pytest-benchmark": "benchmark",
    "pytest-rerunfailures": "flaky",
    "pytest-xdist": "xdist_group",
    "pytest-recording": "vcr block_network default_cassette",
    "pytest-freezer": "freeze_time",
    "time-machine": "time_machine",
    "pytest-mpl": "mpl_image_compare",
    "pytest-remotedata": "remote_data internet_off",
    "pytest-order": "order",
    "pytest-dependency": "dependency",
    "pytest-run-parallel": "parallel_threads thread_unsafe iterations",
    "pytest-socket": "enable_socket disable_socket allow_hosts",
    "pytest-httpx": "httpx_mock",
    "respx": "respx",
    "pytest-forked": "forked",
    "pytest-cov": "no_cover",
    "pytest-repeat": "repeat",
    "pytest-datafiles": "datafiles",
    "pytest-memray": "limit_memory limit_leaks",
    "pytest-codspeed": "codspeed_benchmark",
    "pytest-playwright": "browser_context_args",
    "pytest-qt": "qt_log_level_fail qt_log_ignore qt_no_exception_capture",
    "hypothesis": "hypothesis",
    "pytest-doctestplus": "doctestplus",
}
_MODULES = {  # whose distribution has another name
    "attrs": "attr",
    "beautifulsoup4": "bs4",
    "gitpython": "git",
    "opencv-python": "cv2",
    "pillow": "PIL",
    "protobuf": "google.protobuf",
    "psycopg2-binary": "psycopg2",
    "pycryptodome": "Crypto",
    "pyjwt": "jwt",
    "pyopenssl": "OpenSSL",
    "pyserial": "serial",
    "python-dateutil": "dateutil",
    "python-docx": "docx",
    "python-dotenv": "dotenv",
    "python-magic": "magic",
    "pytest-xdist": "xdist",
    "pyyaml": "yaml",
    "pyzmq": "zmq",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
    "setuptools": "pkg_resources distutils",
    "typing-extensions": "typing_extensions",
    "ruamel-yaml": "ruamel.yaml",
    "wxpython": "wx",
}
_SINCE = {  # of pytest itself
    "--strict-markers": "4.5",
    "--strict-config": "6.0",
    "--import-mode": "6.0",
    "--no-header": "6.1",
    "--no-summary": "6.2",
    "--code-highlight": "6.2",
    "--log-file-mode": "8.2",
    "--xfail-tb": "8.0",
    "--force-short-summary": "8.1",
    "--stepwise-reset": "8.4",
    "pythonpath": "7.0",
    "required_plugins": "6.0",
    "tmp_path_retention_count": "7.3",
    "tmp_path_retention_policy": "7.3",
    "consider_namespace_packages": "8.1",
    "verbosity_assertions": "8.0",
    "verbosity_test_cases": "8.1",
    "strict_parametrization_ids": "9.0",
    "strict_config": "9.0",
    "strict_markers": "9.0",
    "strict_xfail": "9.0",
}


def _turned(table: dict[str, str]) -> dict[str, str]:
    return {name: distribution for distribution, names in table.items() for name in names.split()}


OPTIONS, SETTINGS, FIXTURES, MARKERS, MODULES = map(_turned, (_OPTIONS, _SETTINGS, _FIXTURES, _MARKERS, _MODULES))


def of_option(option: str) -> str:
    """Return the distribution of pytest's ecosystem that provides an option ("--cov=x", "-n4"), or ""."""
    name = option.partition("=")[0]
    if not name.startswith("--"):
        return OPTIONS.get(name[:2], "")
    known = [item for item in OPTIONS if name == item or name.startswith(f"{item}-")]
    return OPTIONS[max(known, key=len)] if known else ""


def of_module(module: str) -> str:
    """Return the distribution that provides a module under another name, or that is a plugin of pytest; else ""."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        if found := MODULES.get(".".join(parts[:length])):
            return found
    return normalise(parts[0]) if parts[0].startswith("pytest_") else ""


def pytest_since(name: str) -> str:
    """Return the first pytest with an option or a setting of its own, or "" if unknown."""
    return _SINCE.get(name.partition("=")[0], "")


def is_test_tool(distribution: str) -> bool:
    """Whether a distribution (normalised) is pytest, a part of it, or a plugin."""
    return distribution in _TOOLS or distribution.startswith("pytest-") or distribution.endswith("-pytest")


_TOOLS = frozenset({"pytest", "pluggy", "iniconfig", *_OPTIONS, *_FIXTURES, *_MARKERS})
