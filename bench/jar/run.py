#!/usr/bin/env python3
"""Runs the jars in turn and writes the tables and the plot of README.md.

    ./run.py [--rounds N] [--sizes 10,1000,…] [--only NAME,…]

What it makes lies under `.work` beside this file (BENCH_DIR changes that).
"""

import argparse
import collections
import math
import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
WORK = pathlib.Path(os.environ.get("BENCH_DIR", HERE / ".work"))
OURS = "sessile-jar"
COLOURS = {OURS: "#0b6e4f", "cookie_store": "#b5651d", "tough-cookie": "#3b5ba5", "http.cookiejar": "#8a3b8f"}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", default="10,1000,100000,1000000")
    parser.add_argument("--only", default=",".join(COLOURS))
    options = parser.parse_args()
    sizes = options.sizes.split(",")
    jars = {name: command for name, command in build().items() if name in options.only.split(",")}
    figures = collections.defaultdict(list)
    names = list(jars)
    for turn in range(options.rounds):
        # Each round starts with another jar.
        for name in names[turn % len(names):] + names[: turn % len(names)]:
            print(f"round {turn + 1}: {name}", flush=True)
            for arguments in [[size] for size in sizes] + [["worst"]]:
                run(jars[name] + arguments, figures)
    # Whatever else the machine does only adds: the best round is the nearest to the truth.
    best = {key: min(values) for key, values in figures.items()}
    if shutil.which("valgrind"):
        for name in [name for name in names if name in (OURS, "cookie_store")]:
            for case in ["header", "replace"]:
                best[name, f"instructions, {case}", 1000] = count_instructions(jars[name], case)
    write_plot(best)
    write_tables(best, [int(size) for size in sizes], names, options.rounds)


def build():
    """The command of each jar."""
    target = WORK / "target"
    environment = os.environ | {"CARGO_TARGET_DIR": str(target)}
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=HERE, env=environment, check=True)
    js = WORK / "js"
    js.mkdir(parents=True, exist_ok=True)
    for name in ["package.json", "tough.mjs"]:
        shutil.copy(HERE / "js" / name, js / name)
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=js, check=True)
    return {
        OURS: [str(target / "release/ours")],
        "cookie_store": [str(target / "release/cookie_store")],
        "tough-cookie": ["node", "--expose-gc", "--max-old-space-size=8192", str(js / "tough.mjs")],
        "http.cookiejar": ["python3", str(HERE / "py/http_cookiejar.py")],
    }


def run(command, figures):
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        jar, case, size, value = line.split("\t")
        figures[jar, case, int(size)].append(float(value))


def count_instructions(command, case):
    """Instructions of one header or store in a jar of 1,000, from callgrind: twice as many less once."""
    counts = []
    for count in ["1000", "2000"]:
        callgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        done = subprocess.run(callgrind + command + ["instructions", case, count], capture_output=True, text=True)
        counts += [int(line.split()[-1]) for line in done.stderr.splitlines() if "Collected" in line]
    return (counts[1] - counts[0]) / 1000


def shown(case, value):
    if value is None:
        return "–"
    if "bytes" in case or "allocations" in case or "instructions" in case:
        return f"{value:,.0f}"
    for unit, factor in [("s", 1), ("ms", 1e3), ("µs", 1e6)]:
        if value * factor >= 1:
            break
    number = value * factor
    return f"{number:.3g} {unit}" if number >= 0.01 else f"{value * 1e9:.0f} ns"


def write_tables(best, sizes, names, rounds):
    cpu = next(
        (line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown"
    )
    lines = [f"Best of {rounds} rounds in turn; {os.cpu_count()} cores, {cpu}.", ""]
    for title, case in [
        ("The header of a request that carries 10 cookies, always the same host", "header"),
        ("The same, a host in turn of 1,024 or more", "header of any host"),
        ("Storing a cookie that was not there", "store"),
        ("Storing one in the place of another", "replace"),
        ("Bytes of live heap a cookie (32 characters of value, 10 cookies a domain)", "bytes"),
        ("Allocations for one header", "header allocations"),
    ]:
        lines += [f"**{title}**", "", "| cookies in the jar | " + " | ".join(names) + " |"]
        lines += ["| ---: |" + " ---: |" * len(names)]
        for size in sizes:
            cells = [shown(case, best.get((name, case, size))) for name in names]
            lines.append(f"| {size:,} | " + " | ".join(cells) + " |")
        lines.append("")
    lines += ["**Worst cases, and instructions (callgrind) in a jar of 1,000**", "", "| case | size | " + " | ".join(names) + " |"]
    lines += ["| --- | ---: |" + " ---: |" * len(names)]
    growth = {"header", "header of any host", "header into a buffer", "store", "replace", "bytes", "header allocations"}
    cases = dict.fromkeys((case, size) for _, case, size in best if case not in growth)
    for case, size in cases:
        cells = [shown(case, best.get((name, case, size))) for name in names]
        lines.append(f"| {case} | {size:,} | " + " | ".join(cells) + " |")
    readme = HERE / "README.md"
    text = readme.read_text()
    before, rest = text.split("<!-- figures -->\n")[0], text.split("<!-- end -->")[1]
    readme.write_text(before + "<!-- figures -->\n" + "\n".join(lines) + "\n<!-- end -->" + rest)


def write_plot(best):
    """Growth of the header's cost with the jar, both axes logarithmic."""
    width, height, left, bottom, top, right = 720, 420, 70, 50, 40, 150
    points = {key: value for key, value in best.items() if key[1] == "header"}
    sizes = sorted({size for _, _, size in points})
    low, high = -7, math.ceil(math.log10(max(points.values())))
    across = lambda size: left + (width - left - right) * math.log10(size / sizes[0]) / max(
        1e-9, math.log10(sizes[-1] / sizes[0])
    )
    up = lambda value: height - bottom - (height - bottom - top) * (math.log10(value) - low) / (high - low)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="{left}" y="22" font-size="15">Time for a Cookie header with 10 matches, by the size of the jar</text>',
    ]
    labels = {-7: "100 ns", -6: "1 µs", -5: "10 µs", -4: "100 µs", -3: "1 ms", -2: "10 ms", -1: "100 ms", 0: "1 s", 1: "10 s"}
    for power in range(low, high + 1):
        y = up(10**power)
        out.append(f'<line x1="{left}" y1="{y:.1f}" x2="{width - right}" y2="{y:.1f}" stroke="#ddd"/>')
        out.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{labels.get(power, "")}</text>')
    for size in sizes:
        x = across(size)
        out.append(f'<text x="{x:.1f}" y="{height - bottom + 20}" text-anchor="middle">{size:,}</text>')
    out.append(f'<text x="{(left + width - right) / 2}" y="{height - 8}" text-anchor="middle">cookies in the jar</text>')
    for name, colour in COLOURS.items():
        line = [(across(size), up(points[name, "header", size])) for size in sizes if (name, "header", size) in points]
        if not line:
            continue
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in line)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in line]
        x, y = line[-1]
        out.append(f'<text x="{x + 10:.1f}" y="{y + 4:.1f}" fill="{colour}">{name}</text>')
    out.append("</svg>")
    (HERE / "growth.svg").write_text("\n".join(out) + "\n")


main()
