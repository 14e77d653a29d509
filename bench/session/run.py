#!/usr/bin/env python3
"""Runs the clients in turn against one nginx on loopback and writes the figures of README.md.

    ./run.py [--rounds N] [--only cpu,instructions,sessions] [--keep]

What it makes lies under `.work` beside this file (BENCH_DIR changes that). `--keep` prints the
figures and leaves README.md as it is.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import resource
import statistics
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
WORK = pathlib.Path(os.environ.get("BENCH_DIR", HERE / ".work")).resolve()
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", WORK / "target"))
PORT = os.environ.get("BENCH_PORT", "24080")
URL = f"http://127.0.0.1:{PORT}"
CLIENTS = {"floor-raw": "floor-raw", "floor": "floor-hyper", "sessile": "sessile", "reqwest": "reqwest", "ureq": "ureq"}
COLOURS = {"floor-raw": "#999999", "floor": "#555555", "sessile": "#0b6e4f", "reqwest": "#b5651d", "ureq": "#3b5ba5"}
CPU = [
    ("one at a time", "/small", ["-n", "20000"]),
    ("64 at once", "/small", ["-n", "40000", "--conc", "64"]),
    ("five Set-Cookie a reply", "/setcookie", ["-n", "10000"]),
    ("2,000 cookies in the jar", "/small", ["-n", "10000", "--cookies", "2000"]),
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="cpu,instructions,sessions")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    WORK.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ, CARGO_TARGET_DIR=str(TARGET))
    subprocess.run(["cargo", "build", "--release"], cwd=HERE, env=environment, check=True)
    start_server()
    try:
        parts = {"cpu": cpu, "instructions": instructions, "sessions": sessions}
        text = "\n".join(parts[name](options.rounds) for name in options.only.split(","))
    finally:
        subprocess.run(["kill", (WORK / "origin.pid").read_text().strip()], check=False)
    print(text)
    if not options.keep:
        readme = HERE / "README.md"
        head = readme.read_text().split("<!-- figures -->")[0]
        readme.write_text(f"{head}<!-- figures -->\n{text}")


def start_server():
    config = (HERE / "server" / "nginx.conf.in").read_text()
    config = config.replace("@WORK@", str(WORK)).replace("@PORT@", PORT)
    (WORK / "origin.conf").write_text(config)
    subprocess.run(["nginx", "-e", str(WORK / "origin.err"), "-c", str(WORK / "origin.conf")], check=True)
    time.sleep(0.3)


def command(client, path, arguments):
    binary = str(TARGET / "release" / CLIENTS[client])
    return [binary, "--name", client, "--url", URL + path, "--verify", f"{URL}/verify", *arguments]


def run(client, path, arguments):
    # The client has one core, the server the other.
    line = ["taskset", "-c", "0", *command(client, path, arguments)]
    done = subprocess.run(line, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(line)}: {done.stderr}")
    return json.loads(done.stdout)


def in_turn(rounds, clients):
    """Each round starts with another client, and every second one turns round."""
    for turn in range(rounds):
        order = clients[turn % len(clients):] + clients[: turn % len(clients)]
        yield from (order if turn % 2 == 0 else reversed(order))


def cpu(rounds):
    text = [f"Medians of {rounds} rounds in turn; processor time of the client (user and system) in µs a request.\n"]
    bars = []
    for title, path, arguments in CPU:
        clients = [name for name in CLIENTS if name != "floor-raw" or path == "/small"]
        found = collections.defaultdict(list)
        for client in in_turn(rounds, clients):
            found[client].append(run(client, path, arguments))
        spent = lambda one: (one["user"] + one["system"]) / one["n"] * 1e6
        middle = {name: statistics.median(map(spent, runs)) for name, runs in found.items()}
        # Of each round by itself, so that what disturbed both counts for neither.
        ratio = {
            name: statistics.median(spent(a) / spent(b) for a, b in zip(found[name], found["floor"])) for name in found
        }
        bars.append((title, ratio))
        text.append(f"**{title}**\n\n| client | µs | least – most | ÷ floor | p50 µs | p99 µs |\n| --- | ---: | ---: | ---: | ---: | ---: |")
        for name in sorted(middle, key=middle.get):
            runs = found[name]
            least, most = min(map(spent, runs)), max(map(spent, runs))
            half, last = (statistics.median(one[key] for one in runs) for key in ("p50", "p99"))
            text.append(f"| {name} | {middle[name]:.1f} | {least:.1f} – {most:.1f} | {ratio[name]:.2f} | {half:.0f} | {last:.0f} |")
        text.append("")
    (HERE / "cpu.svg").write_text(plot(bars))
    return "\n".join(text)


def instructions(_rounds):
    workloads = [
        ("20 cookies", "/small", []),
        ("2,000 cookies", "/small", ["--cookies", "2000"]),
        ("five Set-Cookie", "/setcookie", []),
    ]
    found = {}
    for client in [name for name in CLIENTS if name != "floor-raw"]:
        for title, path, arguments in workloads:
            short, long = (count(client, path, ["-n", str(requests), *arguments]) for requests in (200, 2200))
            found[client, title] = (long - short) / 2000
    text = ["Instructions a request in user space (callgrind: a run of 2,200 requests less one of 200).\n"]
    text.append("| client | 20 cookies | ÷ floor | 2,000 cookies | ÷ 20 cookies | five Set-Cookie add |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    for client in [name for name in CLIENTS if name != "floor-raw"]:
        few, many, set_cookie = (found[client, title] for title, _, _ in workloads)
        floor = found["floor", "20 cookies"]
        text.append(f"| {client} | {few:,.0f} | {few / floor:.2f} | {many:,.0f} | {many / few:.2f} | {set_cookie - few:,.0f} |")
    return "\n".join(text) + "\n"


def count(client, path, arguments):
    line = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command(client, path, arguments)]
    done = subprocess.run(line, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True)
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1))


def sessions(_rounds):
    text = ["One more session with 5 cookies and 8 headers: made, and with its connection open.\n"]
    text.append("| client | sessions | made: KiB | µs | with a connection: KiB |\n| --- | ---: | ---: | ---: | ---: |")
    for client, number, opens in [
        ("floor", 1000, True), ("sessile", 1000, True), ("reqwest", 1000, True), ("ureq", 1000, True),
        ("floor", 10_000, True), ("sessile", 10_000, True), ("reqwest", 10_000, True),
        ("sessile", 100_000, False), ("sessile", 1_000_000, False),
    ]:
        arguments = ["--mode", "sessions", "-n", str(number), *([] if opens else ["--unopened"])]
        runs = [run(client, "/small", arguments) for _ in range(3 if number < 100_000 else 1)]
        middle = lambda key, runs=runs, number=number: statistics.median(one[key] for one in runs) / number
        opened = f"{middle('opened_kib'):.1f}" if opens else "–"
        text.append(f"| {client} | {number:,} | {middle('made_kib'):.2f} | {middle('made_cpu') * 1e6:.1f} | {opened} |")
    return "\n".join(text) + "\n"


def plot(bars):
    """Processor time as a multiple of the floor's."""
    step, left, scale = 22, 190, 150
    parts, y = [], 40
    for title, ratio in bars:
        parts.append(f'<text x="8" y="{y}" font-weight="bold">{title}</text>')
        for name, value in sorted(ratio.items(), key=lambda item: item[1]):
            y += step
            shown = min(value, 4.2)
            parts.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{name}</text>')
            parts.append(f'<rect x="{left}" y="{y - 9}" width="{shown * scale:.0f}" height="16" fill="{COLOURS[name]}"/>')
            parts.append(f'<text x="{left + shown * scale + 6:.0f}" y="{y + 4}">{value:.2f}</text>')
        y += step + 14
    line = left + scale
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 {y}" font-family="sans-serif" font-size="13">'
    ground = f'<rect width="900" height="{y}" fill="#ffffff"/>'
    title = '<text x="8" y="18" font-size="15">processor time of the client ÷ the floor\'s (less is better)</text>'
    mark = f'<line x1="{line}" y1="26" x2="{line}" y2="{y - 20}" stroke="#555555" stroke-dasharray="4 3"/>'
    return "\n".join([head, ground, title, *parts, mark, "</svg>", ""])


main()
