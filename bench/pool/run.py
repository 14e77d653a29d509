#!/usr/bin/env python3
"""Runs the pool and its peers in turn and writes the figures of README.md.

    ./run.py [--rounds N] [--sizes 1000,100000,1000000] [--whole 1000,100000] [--disk 1000,100000] [--keep]

What it makes lies under `.work` beside this file (BENCH_DIR changes that). `--keep` prints the
figures and leaves README.md as it is.
"""

import argparse
import collections
import os
import pathlib
import shutil
import statistics
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
WORK = pathlib.Path(os.environ.get("BENCH_DIR", HERE / ".work")).resolve()
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", WORK / "target"))
CRAWLEE = "crawlee==1.11.0"
# More than these take its peers minutes to fill.
MOST = {"Crawlee, JavaScript": 100_000, "Crawlee, Python": 100_000}
# What Crawlee in JavaScript does with its state: all of it, each time, by its own clock every minute.
CRAWLEE_DISK = "Crawlee, JavaScript: all written"
COUNTED = ["round-robin", "random", "least-used", "exclusive"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", default="1000,100000,1000000")
    parser.add_argument("--whole", default="1000,100000")
    parser.add_argument("--disk", default="1000,100000")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    numbers = lambda text: [int(size) for size in text.split(",") if size]
    parts = {"state": numbers(options.sizes), "whole": numbers(options.whole), "disk": numbers(options.disk)}
    commands = build()
    figures = {part: collections.defaultdict(list) for part in parts}
    names = list(commands)
    for turn in range(options.rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            one_turn(name, commands[name], parts, figures)
    medians = {
        part: {key: statistics.median(values) for key, values in of_part.items()} for part, of_part in figures.items()
    }
    text = (
        table("The pool as programs use it", medians, "whole", parts["whole"])
        + table("The state as a value", medians, "state", parts["state"])
        + on_disk(medians["disk"], parts["disk"])
        + instructions(commands["sessile"])
    )
    print(text)
    if not options.keep:
        readme = HERE / "README.md"
        head = readme.read_text().split("<!-- figures -->")[0]
        readme.write_text(f"{head}<!-- figures -->\n{text}")


def one_turn(name, command, parts, figures):
    """Measures one of ours or of the peers, at every size."""
    if name != "sessile":
        for size in sorted(set(parts["state"] + parts["whole"] + parts["disk"])):
            for case, figure in measure(command, size) if size <= MOST[name] else []:
                part, key = ("disk", case) if case == CRAWLEE_DISK else ("state", name)
                figures[part][key, size].append(figure)
        return
    for part, sizes in parts.items():
        for size in sizes:
            for case, figure in measure(command + [part], size):
                figures[part][case, size].append(figure)


def build():
    """The command of each."""
    environment = os.environ | {"CARGO_TARGET_DIR": str(TARGET)}
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=HERE, env=environment, check=True)
    js, venv = WORK / "js", WORK / "venv"
    js.mkdir(parents=True, exist_ok=True)
    for name in ["package.json", "crawlee.mjs"]:
        shutil.copy(HERE / "js" / name, js / name)
    if not (js / "node_modules").exists():
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=js, check=True)
    if not venv.exists():
        subprocess.run(["python3", "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin/pip", "install", "--quiet", CRAWLEE], check=True)
    return {
        "sessile": [TARGET / "release/pool-bench"],
        "Crawlee, JavaScript": ["node", "--expose-gc", js / "crawlee.mjs"],
        "Crawlee, Python": [venv / "bin/python", HERE / "py/crawlee_pool.py"],
    }


def measure(command, size):
    environment = os.environ | {"CRAWLEE_STORAGE_DIR": str(WORK / "crawlee")}
    command = [*map(str, command), str(size)]
    done = subprocess.run(command, cwd=WORK, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    for line in done.stdout.splitlines():
        case, _, rate = line.split("\t")
        yield case, float(rate)


def table(title, medians, part, sizes):
    """Rates by the number of members, with the ratio to the best peer of that size."""
    peers = {key: rate for key, rate in medians["state"].items() if key[0] in MOST}
    cases = list(dict.fromkeys([case for case, _ in medians[part] if case not in MOST] + list(MOST)))
    lines = [f"**{title}: taken and given back, millions a second (× the best peer)**\n"]
    lines.append("| | " + " | ".join(f"{size:,}" for size in sizes) + " |")
    lines.append("| --- |" + " ---: |" * len(sizes))
    for case in cases:
        cells = []
        for size in sizes:
            rate = peers.get((case, size)) if case in MOST else medians[part].get((case, size))
            best = max((peers.get((peer, size), 0) for peer in MOST), default=0)
            shown = "" if rate is None else f"{rate / 1e6:.2f}" if rate >= 1e4 else f"{rate / 1e6:.4f}"
            is_ours = case not in MOST and rate and best
            cells.append(f"{shown} ({rate / best:.1f} ×)" if is_ours else shown)
        lines.append(f"| {case} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n\n"


def on_disk(medians, sizes):
    """Seconds, but for the bytes."""
    lines = ["**Sessions with five cookies on disk, in seconds**\n"]
    lines.append("| | " + " | ".join(f"{size:,}" for size in sizes) + " |")
    lines.append("| --- |" + " ---: |" * len(sizes))
    for case in dict.fromkeys(case for case, _ in medians):
        shown = lambda figure: "" if figure is None else f"{figure / 1e6:.0f} MB" if case == "bytes" else f"{figure:.4g}"
        lines.append(f"| {case} | " + " | ".join(shown(medians.get((case, size))) for size in sizes) + " |")
    return "\n".join(lines) + "\n"


def instructions(command):
    """Instructions of one lease taken and given back: twice as many less once, by callgrind."""
    if not shutil.which("valgrind"):
        return ""
    sizes = [1000, 10_000]
    lines = ["\n**Instructions of one lease, taken and given back**\n"]
    lines.append("| | " + " | ".join(f"{size:,}" for size in sizes) + " |")
    lines.append("| --- |" + " ---: |" * len(sizes))
    for case in COUNTED:
        counts = [count(command, case, size) for size in sizes]
        lines.append(f"| {case} | " + " | ".join(f"{count:.0f}" for count in counts) + " |")
    return "\n".join(lines) + "\n"


def count(command, case, size, times=5_000):
    counts = []
    for many in (times, 2 * times):
        callgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        line = [*callgrind, *map(str, command), "instructions", case, str(size), str(many)]
        done = subprocess.run(line, capture_output=True, text=True, check=True)
        counts += [int(line.split()[-1]) for line in done.stderr.splitlines() if "Collected" in line]
    return (counts[1] - counts[0]) / times


if __name__ == "__main__":
    main()
