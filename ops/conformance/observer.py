"""
Plugin for pytest that `npm run conformance` loads with -p: it hands out tests, bounds their time and notes results.

Several pytest processes collect the same tests; each test is run by the process that creates its claim file first.
Processes that take from the back meet those that take from the front; tests that mostly wait lie at the back.
One JSON object a line goes to the results file, when a test has been torn down. Holds no code of any suite.
"""
import itertools
import json
import os
import signal
import sys

import pytest

RESULTS = os.environ["BUNDESCLOUD_RESULTS"]
CLAIMS = os.environ["BUNDESCLOUD_CLAIMS"]
FROM_BACK = os.environ["BUNDESCLOUD_FROM"] == "back"
TEST_SECONDS = int(os.environ["BUNDESCLOUD_TEST_SECONDS"])
# Wall time of these goes into waiting for a day of lifecycle or for a log to roll over.
WAITING = {"lifecycle", "lifecycle_expiration", "lifecycle_transition", "bucket_logging"}

reports = {}


class TookTooLong(Exception):
    pass


def short(nodeid):
    return nodeid.rsplit("/", 1)[-1]


def markers_of(item):
    return sorted({marker.name for marker in item.iter_markers()} - {"parametrize"})


def pytest_collection_modifyitems(items):
    # The suite numbers buckets and takes the order of numbers for that of names: the number must not grow a digit.
    suite = sys.modules.get("s3tests.functional")
    if suite is not None and hasattr(suite, "bucket_counter"):
        suite.bucket_counter = itertools.count(1000)
    items.sort(key=lambda item: bool(WAITING.intersection(markers_of(item))))


def claim(index, item):
    try:
        handle = os.open(os.path.join(CLAIMS, str(index)), os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return False
    os.write(handle, json.dumps({"id": short(item.nodeid), "markers": markers_of(item)}).encode())
    os.close(handle)
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session):
    """Takes the next test before it runs the current one: pytest tears down by what comes next."""
    if session.config.option.collectonly:
        return None
    order = list(enumerate(session.items))
    if FROM_BACK:
        order.reverse()
    mine = (item for index, item in order if claim(index, item))
    item = next(mine, None)
    while item is not None:
        following = next(mine, None)
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        item = following
    return True


def bounded():
    """Raises TookTooLong in the main thread when a phase of a test takes longer than it may."""

    def ring(*_):
        raise TookTooLong(f"took longer than {TEST_SECONDS} seconds")

    signal.signal(signal.SIGALRM, ring)
    signal.alarm(TEST_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_setup(item):
    yield from bounded()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    yield from bounded()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(item):
    yield from bounded()


def crash_of(excinfo):
    """First line of the error, and the innermost line of the suite that led to it."""
    text = str(excinfo.value) or repr(excinfo.value)
    message = f"{excinfo.typename}: {text.strip().splitlines()[0] if text.strip() else ''}"
    where = None
    for entry in excinfo.traceback:
        if "s3tests" in str(entry.path):
            where = f"{os.path.basename(str(entry.path))}:{entry.lineno + 1}"
    return message[:1000], where


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    record = reports.setdefault(
        item.nodeid,
        {"id": short(item.nodeid), "markers": markers_of(item), "outcome": "passed", "durationMs": 0},
    )
    record["durationMs"] += round(call.duration * 1000)
    if report.failed and record["outcome"] != "failed":
        error, where = crash_of(call.excinfo)
        record.update(outcome="failed", phase=report.when, error=error)
        if where is not None:
            record["where"] = where
    if report.skipped and record["outcome"] == "passed":
        record.update(outcome="skipped", error=str(call.excinfo.value)[:1000])
    if report.when == "teardown":
        with open(RESULTS, "a", encoding="utf-8") as results:
            results.write(json.dumps(reports.pop(item.nodeid)) + "\n")
