#!/usr/bin/env python3
"""The daemon beside a bare gateway, and its API with ten thousand sessions; prints the tables of README.md.

    ./run.py [--rounds N] [--seconds S] [--sessions N] [--only fetch,api] [--binaries FOLDER]

Needs Rust, nginx, wrk and taskset. What it makes lies under `.work` beside this file (BENCH_DIR
changes that). `--binaries` names a folder with `sessile` and `floor-gateway` (and, for the API,
`define-pool`) that are built already.
"""

import argparse
import json
import os
import pathlib
import re
import resource
import shutil
import socket
import statistics
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
WORK = pathlib.Path(os.environ.get("BENCH_DIR", HERE / ".work")).resolve()
ORIGIN, FLOOR, DAEMON = 24280, 24281, 24282


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--sessions", type=int, default=10000)
    parser.add_argument("--only", default="fetch,api")
    parser.add_argument("--binaries", type=pathlib.Path)
    options = parser.parse_args()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    shutil.rmtree(WORK / "home", ignore_errors=True)
    (WORK / "home").mkdir(parents=True)
    binaries = (options.binaries or build()).resolve()
    running = [origin()]
    try:
        if "fetch" in options.only:
            print(fetch(binaries, options, running))
        if "api" in options.only:
            print(api(binaries, options, running))
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(60)


def build():
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", WORK / "target"))
    environment = dict(os.environ, CARGO_TARGET_DIR=str(target))
    for folder, what in ((HERE, []), (HERE / "../..", ["-p", "sessile-cli"])):
        subprocess.run(["cargo", "build", "--release", *what], cwd=folder, env=environment, check=True)
    return target / "release"


def origin():
    text = (HERE / "nginx.conf.in").read_text().replace("@WORK@", str(WORK)).replace("@PORT@", str(ORIGIN))
    (WORK / "nginx.conf").write_text(text)
    process = subprocess.Popen(["nginx", "-e", str(WORK / "origin.err"), "-c", str(WORK / "nginx.conf")])
    wait(ORIGIN)
    return process


def wait(port):
    for _ in range(600):
        try:
            return socket.create_connection(("127.0.0.1", port), 0.5).close()
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nothing listens on {port}")


def environment():
    return {"PATH": os.environ["PATH"], "HOME": str(WORK / "home")}


def daemon(binaries, running):
    command = [str(binaries / "sessile"), "serve", "--listen", f"127.0.0.1:{DAEMON}", "--quiet"]
    process = subprocess.Popen(["taskset", "-c", "0", *command], env=environment())
    running.append(process)
    token = WORK / "home/.config/sessile/token"
    while not token.exists():
        time.sleep(0.1)
    # Taken on once the tokens are known; until then connections wait.
    ask(f"http://127.0.0.1:{DAEMON}/api/openapi.json", token.read_text().strip())
    return process, token.read_text().strip()


def fetch(binaries, options, running):
    stored = ["get", "-s", "bench", "--create", f"http://127.0.0.1:{ORIGIN}/visit"]
    subprocess.run([binaries / "sessile", *stored], env=environment(), check=True, stdout=subprocess.DEVNULL)
    floor = ["taskset", "-c", "0", str(binaries / "floor-gateway"), f"127.0.0.1:{FLOOR}", f"127.0.0.1:{ORIGIN}"]
    floor = subprocess.Popen(floor)
    running.append(floor)
    wait(FLOOR)
    process, token = daemon(binaries, running)
    ways = {
        "bare gateway": (floor, f"http://127.0.0.1:{FLOOR}/small"),
        "/fetch": (process, f"http://127.0.0.1:{DAEMON}/api/sessions/bench/fetch?url=http://127.0.0.1:{ORIGIN}/small"),
    }
    rows = []
    for number in range(options.rounds):
        for name in list(ways)[:: 1 if number % 2 else -1]:
            for connections in (1, 64):
                rows.append((name, connections, load(*ways[name], token, connections, options.seconds)))
    lines = ["| | at once | requests/s | CPU µs a request | ÷ bare gateway | resident MiB |", "|---|---|---|---|---|---|"]
    for connections in (1, 64):
        of = {name: [row for who, at_once, row in rows if (who, at_once) == (name, connections)] for name in ways}
        for name, own in of.items():
            ratio = statistics.median(a["cpu"] / b["cpu"] for a, b in zip(own, of["bare gateway"]))
            middle = {key: statistics.median(row[key] for row in own) for key in own[0]}
            lines.append(f"| {name} | {connections} | {middle['rate']:,.0f} | {middle['cpu']:.1f} | {ratio:.2f} | {middle['rss']:.1f} |")
    return "\n".join(lines)


def api(binaries, options, running):
    store, key = WORK / "home/.local/share/sessile/sessile.db", WORK / "home/.config/sessile/key"
    store.parent.mkdir(parents=True, exist_ok=True)
    key.parent.mkdir(parents=True, exist_ok=True)
    pool = [binaries / "define-pool", f"sqlite:{store}", key, f"http://127.0.0.1:{ORIGIN}", str(options.sessions)]
    subprocess.run(pool, env=environment(), check=True)
    if running[-1].args[:1] == ["taskset"] and str(DAEMON) in " ".join(running[-1].args):
        stopped = running.pop()
        stopped.terminate()
        stopped.wait(60)
    process, token = daemon(binaries, running)
    base = f"http://127.0.0.1:{DAEMON}"
    while (stats := ask(f"{base}/api/sessions/stats", token))["validSessions"] < options.sessions:
        time.sleep(1)
    lines = ["| path | sessions | requests/s | p99 ms | resident MiB |", "|---|---|---|---|---|"]
    for path in ("/api/sessions/stats", "/api/sessions/active"):
        rows = [load(process, base + path, token, 64, options.seconds) for _ in range(options.rounds)]
        middle = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
        lines.append(f"| {path} | {stats['totalSessions']:,} | {middle['rate']:,.0f} | {middle['p99']:.1f} | {middle['rss']:.0f} |")
    return "\n".join(lines)


def ask(url, token):
    reply = subprocess.run(["curl", "-s", "-H", "@-", url], input=f"Authorization: Bearer {token}", text=True, capture_output=True, check=True)
    return json.loads(reply.stdout)


def load(process, url, token, connections, seconds):
    command = ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    command += ["-H", f"Authorization: Bearer {token}", url]
    before = cpu(process.pid)
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used = cpu(process.pid) - before
    if "Non-2xx" in said:
        raise SystemExit(f"{url} failed:\n{said}")
    count = int(re.search(r"(\d+) requests in", said)[1])
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", said).groups()
    p99 = float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]
    return {"rate": count / seconds, "cpu": used / count * 1e6, "rss": resident(process.pid), "p99": p99}


def cpu(pid):
    """Seconds on a CPU, from the scheduler, of every thread."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def resident(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


main()
