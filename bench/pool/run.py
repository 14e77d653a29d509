#!/usr/bin/env python3
"""Runs the pool and its peers in turn and writes the figures of README.md.

    ./run.py [--rounds N] [--sizes 1000,100000,1000000] [--keep]

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
COUNTED = ["round-robin", "random", "least-used", "exclusive"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", default="1000,100000,1000000")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    commands = build()
    rates, cases = collections.defaultdict(list), []
    names = list(commands)
    for turn in range(options.rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            for size in sizes:
                if size > MOST.get(name, size):
                    continue
                for case, rate in measure(commands[name], size):
                    key = case if name == "sessile" else name
                    if key not in cases:
                        cases.append(key)
                    rates[key, size].append(rate)
    rates = {key: statistics.median(values) for key, values in rates.items()}
    text = table(rates, cases, sizes) + instructions(commands["sessile"], sizes)
    print(text)
    if not options.keep:
        readme = HERE / "README.md"
        head = readme.read_text().split("<!-- figures -->")[0]
        readme.write_text(f"{head}<!-- figures -->\n{text}")


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


def table(rates, cases, sizes):
    """Rates by the number of members, with the ratio to the best peer of that size."""
    lines = ["**Taken and given back in one thread, millions a second of processor time (× the best peer)**\n"]
    lines.append("| | " + " | ".join(f"{size:,}" for size in sizes) + " |")
    lines.append("| --- |" + " ---: |" * len(sizes))
    for case in cases:
        cells = []
        for size in sizes:
            rate = rates.get((case, size))
            best = max((rates.get((peer, size), 0) for peer in MOST), default=0)
            shown = "" if rate is None else f"{rate / 1e6:.2f}" if rate >= 1e4 else f"{rate / 1e6:.4f}"
            is_ours = case not in MOST and rate and best
            cells.append(f"{shown} ({rate / best:.0f} ×)" if is_ours else shown)
        lines.append(f"| {case} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def instructions(command, sizes):
    """Instructions of one lease taken and given back: twice as many less once, by callgrind."""
    if not shutil.which("valgrind"):
        return ""
    sizes = [size for size in sizes if size <= 100_000]
    lines = ["\n**Instructions of one lease, taken and given back**\n"]
    lines.append("| | " + " | ".join(f"{size:,}" for size in sizes) + " |")
    lines.append("| --- |" + " ---: |" * len(sizes))
    for case in COUNTED:
        counts = [count(command, case, size) for size in sizes]
        lines.append(f"| {case} | " + " | ".join(f"{count:.0f}" for count in counts) + " |")
    return "\n".join(lines) + "\n"


def count(command, case, size, times=20_000):
    counts = []
    for many in (times, 2 * times):
        callgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        line = [*callgrind, *map(str, command), "instructions", case, str(size), str(many)]
        done = subprocess.run(line, capture_output=True, text=True, check=True)
        counts += [int(line.split()[-1]) for line in done.stderr.splitlines() if "Collected" in line]
    return (counts[1] - counts[0]) / times


if __name__ == "__main__":
    main()
