#!/usr/bin/env python3
"""Runs the store and its peers in turn and writes the figures of README.md.

    ./run.py [--rounds N] [--sizes 1000,100000,1000000] [--only reads,commits,writers,thousand,postgres] [--keep]

What it makes lies under `.work` beside this file (BENCH_DIR changes that); the large stores lie
there as well unless BENCH_LARGE names another folder. `--keep` prints the figures and leaves
README.md as it is.
"""

import argparse
import collections
import glob
import os
import pathlib
import pwd
import shutil
import statistics
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
WORK = pathlib.Path(os.environ.get("BENCH_DIR", HERE / ".work")).resolve()
LARGE = pathlib.Path(os.environ.get("BENCH_LARGE", WORK)).resolve()
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", WORK / "target"))
REQUESTS = "requests==2.32.5"
PROCESSES = (2, 4, 8)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", default="1000,100000,1000000")
    parser.add_argument("--only", default="reads,commits,writers,thousand,postgres")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    for folder in (WORK, LARGE):
        folder.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ, CARGO_TARGET_DIR=str(TARGET))
    subprocess.run(["cargo", "build", "--release"], cwd=HERE, env=environment, check=True)
    parts = {"reads": reads, "commits": commits, "writers": writers, "thousand": thousand, "postgres": postgres}
    text = "\n".join(parts[name](options) for name in options.only.split(","))
    print(text)
    if not options.keep:
        readme = HERE / "README.md"
        head = readme.read_text().split("<!-- figures -->")[0]
        readme.write_text(f"{head}<!-- figures -->\n{text}")


def start(*arguments):
    line = [str(TARGET / "release" / "store-bench"), *map(str, arguments)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, text=True)


def figures(process):
    out, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{process.args} failed")
    return {name: float(value) for name, value in (line.split() for line in out.splitlines())}


def run(*arguments):
    return figures(start(*arguments))


def medians(runs):
    return {name: statistics.median(one[name] for one in runs) for name in runs[0]}


def fresh(folder, name):
    path = folder / name
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return path


def reads(options):
    rows = ["**Times by the number of stored sessions of 4 KB, in µs (p50; worst p99 in brackets)**\n"]
    rows.append("| sessions | open | load by name | rusqlite: load | list 500 | save | merge a cookie |")
    rows.append("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    plotted = []
    for size in map(int, options.sizes.split(",")):
        ours, peer = fresh(LARGE, "reads.db"), fresh(LARGE, "reads-peer.db")
        run("fill", ours, size)
        run("sqlite-fill", peer, size)
        found = collections.defaultdict(list)
        for turn in range(options.rounds):
            order = [("reads", ours), ("sqlite-reads", peer)]
            for word, path in order if turn % 2 == 0 else reversed(order):
                found[word].append(run(word, path, size))
        a, b = medians(found["reads"]), medians(found["sqlite-reads"])
        worst = max(one["load.p99"] for one in found["reads"])
        rows.append(
            f"| {size:,} | {a['open']:,.0f} | {a['load.p50']:.1f} ({worst:.0f}) | {b['load.p50']:.1f} "
            f"| {a['page.p50']:.0f} | {a['save.p50']:,.0f} | {a['merge.p50']:,.0f} |"
        )
        plotted.append((size, a["load.p50"], b["load.p50"]))
        fresh(LARGE, "reads.db"), fresh(LARGE, "reads-peer.db")
    (HERE / "load.svg").write_text(plot(plotted))
    return "\n".join(rows) + "\n"


def commits(options):
    found = collections.defaultdict(list)
    cases = {
        "sessile, 1 caller": ("commits", 1), "rusqlite alone, 1 caller": ("sqlite-commits", 1),
        "sessile, 64 callers": ("commits", 64),
    }
    for turn in range(options.rounds):
        for title in list(cases) if turn % 2 == 0 else reversed(list(cases)):
            word, callers = cases[title]
            found[title].append(run(word, fresh(WORK, "commits.db"), callers))
    rows = ["**Durable commits of 4 KB (each on disk before it is answered)**\n", "| | a second | ÷ single | p50 ms | worst ms |"]
    rows.append("| --- | ---: | ---: | ---: | ---: |")
    single = medians(found["sessile, 1 caller"])["commits"]
    for title in cases:
        one = medians(found[title])
        worst = max(run["wait.worst"] for run in found[title])
        rows.append(f"| {title} | {one['commits']:,.0f} | {one['commits'] / single:.1f} | {one['wait.p50'] / 1e3:.2f} | {worst / 1e3:.0f} |")
    return "\n".join(rows) + "\n"


def writers(options):
    rows = ["**The worst wait of one write while so many processes write all the time, in ms (each round's worst, their median)**\n"]
    rows += ["| processes | sessile | commits a second, all | rusqlite, busy_timeout | commits a second, all |", "| ---: | ---: | ---: | ---: | ---: |"]
    for count in PROCESSES:
        cells = []
        for word in ("commits", "sqlite-commits"):
            worst, speed = [], []
            for _ in range(options.rounds):
                path = fresh(WORK, "writers.db")
                run(word, path, 1)
                runs = [figures(one) for one in [start(word, path, 1) for _ in range(count)]]
                worst.append(max(one["wait.worst"] for one in runs) / 1e3)
                speed.append(sum(one["commits"] for one in runs))
            cells.append(f"{statistics.median(worst):,.0f} | {statistics.median(speed):,.0f}")
        rows.append(f"| {count} | {cells[0]} | {cells[1]} |")
    return "\n".join(rows) + "\n"


def thousand(options):
    python = WORK / "venv" / "bin" / "python"
    if not python.exists():
        subprocess.run(["python3", "-m", "venv", WORK / "venv"], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", REQUESTS], check=True)
    ours, peer = [], []
    for _ in range(options.rounds):
        ours.append(run("thousand", fresh(WORK, "thousand.db")))
        line = [python, HERE / "py" / "pickled.py", WORK / "thousand.pickle"]
        peer.append(figures(subprocess.Popen(line, stdout=subprocess.PIPE, text=True)))
    a, b = medians(ours), medians(peer)
    return (
        "**1,000 sessions with 20 cookies each, in ms**\n\n| | saved | saved and loaded |\n| --- | ---: | ---: |\n"
        f"| sessile: sealed, durable, each by itself | {a['saved']:.1f} | {a['saved-and-loaded']:.1f} |\n"
        f"| requests, one pickle: in clear, whole, not synced | {b['saved']:.1f} | {b['saved-and-loaded']:.1f} |\n"
    )


def postgres(options):
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not programs:
        raise SystemExit("PostgreSQL is missing: apt-get install postgresql")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="store-bench-"))
    as_who = []
    if os.geteuid() == 0:  # It refuses to be the superuser's.
        who = pwd.getpwnam("postgres")
        os.chown(folder, who.pw_uid, who.pw_gid)
        as_who = ["runuser", "-u", "postgres", "--"]
    def tool(name, *arguments):
        line = [*as_who, f"{programs[-1]}/{name}", *arguments]
        subprocess.run(line, check=True, cwd=folder, stdout=subprocess.DEVNULL)
    port = os.environ.get("BENCH_PORT", "24332")
    tool("initdb", "-D", folder / "data", "-U", "bench", "--auth", "trust")
    settings = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder}"
    tool("pg_ctl", "-D", folder / "data", "-o", settings, "-l", folder / "log", "-w", "start")
    try:
        tool("createdb", "-h", "127.0.0.1", "-p", port, "-U", "bench", "bench")
        url = f"postgres://bench@127.0.0.1:{port}/bench?sslmode=disable"
        runs = [run("postgres", url) for _ in range(options.rounds)]
    finally:
        tool("pg_ctl", "-D", folder / "data", "-m", "fast", "-w", "stop")
        shutil.rmtree(folder)
    one = medians(runs)
    ratio = statistics.median(a["lease.p50"] / a["statement.p50"] for a in runs)
    rows = ["**PostgreSQL on loopback, one caller, in µs**\n", "| | p50 | p99 |", "| --- | ---: | ---: |"]
    names = [("statement", "an upsert like it by tokio-postgres"), ("lease", "lease with fencing"), ("save", "save"), ("load", "load by name")]
    rows += [f"| {title} | {one[name + '.p50']:,.0f} | {one[name + '.p99']:,.0f} |" for name, title in names]
    return "\n".join(rows) + f"\n\nLease ÷ statement, p50: {ratio:.2f}.\n"


def plot(points):
    """Load by name, as the store grows."""
    top = max(max(ours, peer) for _, ours, peer in points) * 1.2
    across, height = 560 / max(len(points) - 1, 1), 240
    def line(index, colour, name):
        spots = [(90 + at * across, 40 + height * (1 - point[index] / top)) for at, point in enumerate(points)]
        path = " ".join(f"{x:.0f},{y:.0f}" for x, y in spots)
        marks = "".join(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="4" fill="{colour}"/>' for x, y in spots)
        words = "".join(f'<text x="{x:.0f}" y="{y - 10:.0f}" text-anchor="middle">{point[index]:.0f}</text>' for (x, y), point in zip(spots, points))
        x, y = spots[-1]
        return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>{marks}{words}<text x="{x + 14:.0f}" y="{y + 4:.0f}" fill="{colour}">{name}</text>'
    sizes = "".join(f'<text x="{90 + at * across:.0f}" y="{height + 64}" text-anchor="middle">{point[0]:,}</text>' for at, point in enumerate(points))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 {height + 84}" font-family="sans-serif" font-size="13">'
        f'<rect width="860" height="{height + 84}" fill="#ffffff"/>'
        '<text x="8" y="18" font-size="15">µs to load one session by name, by the number of those stored</text>'
        f'<line x1="70" y1="{height + 40}" x2="690" y2="{height + 40}" stroke="#999999"/>'
        f'{line(1, "#0b6e4f", "sessile, unsealed")}{line(2, "#b5651d", "rusqlite alone")}{sizes}</svg>\n'
    )


main()
