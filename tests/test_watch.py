"""With train.py --watch, a browser on this machine follows the run. The server serves only the folder of the run."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from commands import ROOT
from runs import new_run

from tinygan import backend
from tinygan.app import finish, report, watch
from tinygan.app.log import Log
from tinygan.app.terminal import Terminal

if backend.device != "cpu":
    pytest.skip("pages are written on the CPU", allow_module_level=True)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Serve the folder of a run, which contains links to places outside. Return the run and the address."""
    folder = tmp_path_factory.mktemp("watch")
    (folder / "secret.txt").write_text("secret")
    run = new_run(folder / "run", "cgan")
    (run.folder / "link.txt").symlink_to(folder / "secret.txt")
    (run.folder / "up").symlink_to(folder)
    os.mkfifo(run.folder / "pipe")
    return run, watch.serve(run, run.settings.training()).address


def ask(address, path, method="GET", **headers):
    """Send a request. Return (status, content)."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_the_page_and_the_files_of_the_run_are_served(served):
    run, address = served
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
    for path, name in (("/", "report.html"), ("/config.json", "config.json"), ("/log.csv?x=1", "log.csv")):
        assert ask(address, path) == (200, (run.folder / name).read_bytes())


OUTSIDE = (
    "/../secret.txt",
    "/%2e%2e/secret.txt",
    "/link.txt",
    "/up/secret.txt",
    "/samples/",
    "/samples",
    "/pipe",
    "/no",
    "/%00",
    "/a%00.png",
    "/" + 5000 * "x",
    "/" + 3000 * "x/",
    "//[",
    "//[::1/config.json",
    "/%ff%fe",
    "/%2e%2e%2f%2e%2e%2fsecret.txt",
    "/config.json/",
    "*",
)


@pytest.mark.parametrize("path", OUTSIDE)
def test_nothing_outside_the_folder_is_served_and_no_folder_is_listed(served, path, capfd):
    status, content = ask(served[1], path)
    assert status == 404 and b"secret" not in content.replace(path.encode(), b"")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_the_folder_can_only_be_read(served, method):
    assert ask(served[1], "/config.json", method)[0] == 501
    assert (served[0].folder / "config.json").exists()


def test_a_request_with_another_host_name_is_refused(served):
    assert ask(served[1], "/", Host="evil.example:80")[0] == 404
    assert ask(served[1], "/", Host="localhost:1")[0] == 200


@pytest.mark.parametrize("sent", [b"", b"GET /config.json HTTP/1.0\r\nHost", b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n"])
def test_connections_without_a_whole_request_are_closed_and_have_a_bound(tmp_path, monkeypatch, sent, capfd):
    monkeypatch.setattr(watch.Handler, "timeout", 0.3)
    monkeypatch.setattr(watch, "CONNECTIONS", 3)
    run = new_run(tmp_path / "run")
    server = watch.serve(run, run.settings.training())
    opened = [socket.create_connection(server.server_address, timeout=10) for _ in range(5)]
    threads = [thread for thread in threading.enumerate() if "process_request_thread" in thread.name]
    assert len(threads) <= 3
    for each in opened:
        with suppress(ConnectionError):
            each.sendall(sent)
    for each in opened:
        with suppress(ConnectionError):
            while each.recv(4096):  # until the server closes the connection
                pass
        each.close()
    assert ask(server.address, "/config.json")[0] == 200 and capfd.readouterr().err == ""
    server.shutdown()


def test_the_program_waits_at_its_end_only_for_an_open_page(served, monkeypatch):
    slept = []
    monkeypatch.setattr(watch.time, "sleep", slept.append)
    server = watch.serve(served[0], served[0].settings.training())
    server.linger()
    assert slept == []
    ask(server.address, "/")
    server.linger()
    assert slept == [watch.LINGER]
    server.asked -= 2 * watch.LINGER
    server.linger()
    assert slept == [watch.LINGER]
    server.shutdown()


def test_an_open_page_updates_itself_and_keeps_the_chosen_class_and_point(served, browser):
    run, address = served
    opened = browser.open(address)
    assert "follows the run" in opened.run("""
        while (!$("live").textContent) await new Promise(done => setTimeout(done, 50));
        return $("live").textContent;""")
    opened.click("#classes button:nth-child(3)")
    point = opened.run("return play.point")
    run.write_rows([(10 * i, 1, *[0.5] * 11) for i in range(1, 9)], [(80, 1, 1.0)])
    report.save(run, run.settings.training())
    found = opened.run("""
        while (run.done !== 80) await new Promise(done => setTimeout(done, 50));
        return [play.point, play.label, document.querySelectorAll("#curves path").length > 0];""")
    assert found == [point, 2, True] and opened.errors() == []


@pytest.mark.parametrize("watched, shown", [(True, [1, 2, 3]), (False, [1, 1, 1])])
def test_a_watched_page_shows_each_picture_when_it_is_drawn(tmp_path, monkeypatch, watched, shown):
    """Without --watch, the page is written at most every PAGE_EVERY seconds."""
    monkeypatch.setattr(finish, "PAGE_EVERY", 1e9)
    run = new_run(tmp_path / "r")
    training, terminal = run.settings.training(), Terminal(quiet=True)
    outputs = finish.Outputs(run, training, None, None, Log(run, training, terminal, 10), terminal, [], [], watched)
    found = []
    for step in (0, 10, 30):
        outputs.draw(step)
        found.append((run.folder / "report.html").read_text().count("data:image/webp"))
    assert found == shown


def test_a_page_on_disk_sends_no_requests(served, browser):
    opened = browser.open((served[0].folder / "report.html").as_uri())
    assert opened.run('await new Promise(done => setTimeout(done, 100)); return $("live").textContent') == ""
    assert opened.errors() == []


def test_training_prints_the_address_and_serves_it(tmp_path, tiny):
    words = [sys.executable, "train.py", "--device", "cpu", "--data", tiny, "--batch-size", 4, "--epochs", 100_000]
    words += ["--watch", "--out", tmp_path / "r"]
    started = subprocess.Popen(list(map(str, words)), cwd=ROOT, stdout=subprocess.PIPE, text=True)
    address = next(line.split()[1] for line in started.stdout if line.startswith("watch"))
    assert ask(address, "/")[0] == 200
    started.send_signal(signal.SIGTERM)
    started.stdout.read()
    assert started.wait(60) == 128 + signal.SIGTERM
