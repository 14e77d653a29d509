#!/usr/bin/env python3
"""Records a film in 150 segments with each program in turn; writes the figures of README.md.

    ./run.py [--rounds N] [--only plain,aes,late,live] [--programs sessile,curl] [--keep]

What it makes lies under `.work` beside this file (BENCH_DIR changes that). `--keep` prints the
figures and leaves README.md and the plot as they are.
"""

import argparse
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
WORK = pathlib.Path(os.environ.get("BENCH_DIR", HERE / ".work")).resolve()
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent.parent / "target"))
SESSILE = str(TARGET / "release" / "sessile")
PORT = 24190
CLIENT_CORE, SERVER_CORE = "0", "1"
SEGMENTS, SECONDS = 150, 4
OUT = WORK / "out"

SUITES = {
    "plain": ("plain", "hls"),
    "aes": ("AES-128", "hls-aes"),
    "late": ("plain, each reply 50 ms later", "late/hls"),
}
PROGRAMS = ["sessile", "curl", "aria2c", "ffmpeg", "streamlink, 1", "streamlink, 8", "yt-dlp, 1", "yt-dlp, 8"]
# None of them joins or decrypts what it has fetched.
NO_KEYS = {"curl", "aria2c"}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join([*SUITES, "live"]))
    parser.add_argument("--programs", default="")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    (WORK / "www").mkdir(parents=True, exist_ok=True)
    make_films()
    install_peers()
    server = start_server()
    parts, bars = [], []
    try:
        for suite in options.only.split(","):
            if suite == "live":
                parts.append(live())
            else:
                text, bar = measure(suite, options)
                parts.append(text)
                bars.append(bar)
            print(parts[-1], flush=True)
    finally:
        server.terminate()
        server.wait()
    if not options.keep:
        readme = HERE / "README.md"
        head = readme.read_text().split("<!-- figures -->")[0]
        readme.write_text(f"{head}<!-- figures -->\n![wall time](wall.svg)\n\n" + "\n".join(parts))
        (HERE / "wall.svg").write_text(plot(bars))


def command(program, folder):
    """The command line; each has eight requests under way, but for those with a 1."""
    url = f"http://127.0.0.1:{PORT}/{folder}/index.m3u8"
    out = str(OUT / "film.ts")
    peer = lambda name: str(WORK / "peers" / "bin" / name)
    name, _, threads = program.partition(", ")
    return {
        "sessile": [SESSILE, "-q", "record", url, "--no-remux", "-o", out],
        # All segments by one process, and one after the other.
        "curl": ["curl", "-sS", "-o", out, f"http://127.0.0.1:{PORT}/{folder}/s[000-{SEGMENTS - 1}].ts"],
        "aria2c": ["aria2c", "-q", "-j8", "--file-allocation=none", "-d", str(OUT), "-i", str(WORK / "list")],
        "ffmpeg": ["ffmpeg", "-v", "error", "-y", "-i", url, "-c", "copy", "-f", "mpegts", out],
        "streamlink": [peer("streamlink"), "-l", "none", "--stream-segment-threads", threads, "-o", out, url, "best"],
        "yt-dlp": [peer("yt-dlp"), "-q", "--no-warnings", "--no-part", "--fixup", "never", "--hls-prefer-native",
                   "-N", threads, "-o", out, url],
    }[name]


def measure(suite, options):
    title, folder = SUITES[suite]
    programs = [name for name in PROGRAMS if not (suite == "aes" and name in NO_KEYS)]
    if options.programs:
        programs = [name for name in programs if name.split(",")[0] in options.programs.split(",")]
    (WORK / "list").write_text(addresses(folder))
    expected = sum(file.stat().st_size for file in (WORK / "www" / "hls").glob("s*.ts"))
    runs = {name: [] for name in programs}
    peaks = {}
    for turn in range(options.rounds + 1):
        names = programs[turn % len(programs):] + programs[:turn % len(programs)]
        for name in names:
            shutil.rmtree(OUT, ignore_errors=True)
            OUT.mkdir()
            # The first round warms up, and looks at the memory.
            found = run(command(name, folder), None if turn else peaks, name)
            size = sum(file.stat().st_size for file in OUT.iterdir())
            # curl writes each over the last; ffmpeg makes packets of its own.
            exact = {"curl": expected, "ffmpeg": size}.get(name, expected)
            assert name == "curl" or size == exact, (name, size, expected)
            if turn:
                runs[name].append(found)
    first = "curl" if "curl" in runs else programs[0]
    middle = {name: [statistics.median(part) for part in zip(*found)] for name, found in runs.items()}
    ratio = {name: statistics.median(own[1] / base[1] for own, base in zip(found, runs[first]))
             for name, found in runs.items()}
    rows = [f"**{title}**\n", f"| program | wall s | least – most | CPU s | ÷ {first} | MiB resident |",
            "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for name in sorted(middle, key=lambda name: middle[name][0]):
        walls = [one[0] for one in runs[name]]
        rows.append(f"| {name} | {middle[name][0]:.2f} | {min(walls):.2f} – {max(walls):.2f} | {middle[name][1]:.2f} | "
                    f"{ratio[name]:.2f} | {peaks[name] / 1024:.0f} |")
    return "\n".join(rows) + "\n", (title, {name: part[0] for name, part in middle.items()})


def run(line, peaks, name):
    """Wall and processor time in seconds. Memory is GNU time's figure: wait4's begins at ours."""
    note = WORK / "peak"
    if peaks is not None:
        line = ["/usr/bin/time", "-q", "-f", "%M", "-o", str(note), *line]
    start = time.monotonic()
    child = subprocess.Popen(["taskset", "-c", CLIENT_CORE, *line], stdin=subprocess.DEVNULL, env=surroundings())
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, line
    if peaks is not None:
        peaks[name] = int(note.read_text().split()[-1])
    return wall, usage.ru_utime + usage.ru_stime


def live(recordings=100, seconds=40):
    """So many live recordings at once, each a process of its own."""
    folder = WORK / "www" / "live"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "index.m3u8").write_text(window(0))
    ended = threading.Event()
    begun = time.monotonic()

    def slide():
        while not ended.wait(0.2):
            beside = folder / "next"
            beside.write_text(window(int((time.monotonic() - begun) / SECONDS)))
            beside.replace(folder / "index.m3u8")

    slider = threading.Thread(target=slide)
    slider.start()
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    url = f"http://127.0.0.1:{PORT}/live/index.m3u8"
    line = lambda n: [SESSILE, "-q", "record", url, "--no-remux", "--live-from", "edge", "-o", str(OUT / f"{n}.ts")]
    children = [subprocess.Popen(["taskset", "-c", CLIENT_CORE, *line(n)], stdin=subprocess.DEVNULL, env=surroundings())
                for n in range(recordings)]
    # The beginning, where all catch up, is not what counts.
    time.sleep(15)
    before = [spent(child.pid) for child in children]
    start = time.monotonic()
    time.sleep(seconds)
    after = [spent(child.pid) for child in children]
    wall = time.monotonic() - start
    memory = sum(proportional(child.pid) for child in children)
    for child in children:
        child.terminate()
    codes = {child.wait() for child in children}
    ended.set()
    slider.join()
    assert codes == {0}, codes
    sizes = [(OUT / f"{n}.ts").stat().st_size for n in range(recordings)]
    shutil.rmtree(OUT)
    core = (sum(after) - sum(before)) / wall
    return (f"**{recordings} live recordings at once**, each a process: {core:.2f} of a core, "
            f"{memory / 1024:.0f} MiB in all (shared pages counted once), {sum(sizes) / (1 << 20) / (wall + 15):.0f} MiB/s "
            f"written, over {seconds} s.\n")


def window(first):
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{SECONDS}", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
    for n in range(first, first + 6):
        lines += [f"#EXTINF:{SECONDS}.0,", f"../hls/s{n % SEGMENTS:03}.ts"]
    return "\n".join(lines) + "\n"


def spent(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def proportional(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+)", text, re.M).group(1))


def surroundings():
    home = WORK / "home"
    home.mkdir(exist_ok=True)
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}


def make_films():
    """10 minutes, 1280x720, 150 segments of 4 s, about 2.7 Mbit/s."""
    www = WORK / "www"
    if (www / "hls-aes" / "index.m3u8").exists():
        return
    for folder in ("hls", "hls-aes"):
        (www / folder).mkdir(exist_ok=True)
    ffmpeg = lambda *words: subprocess.run(["ffmpeg", "-v", "error", "-y", *words], cwd=www, check=True)
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=25", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100",
           "-t", "60", "-c:v", "libx264", "-preset", "ultrafast", "-b:v", "2500k", "-minrate", "2500k", "-maxrate", "2500k",
           "-bufsize", "2500k", "-x264-params", "nal-hrd=cbr", "-g", "100", "-keyint_min", "100", "-sc_threshold", "0",
           "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "96k", "minute.mp4")
    (www / "hls-aes" / "key.bin").write_bytes(bytes(range(16)))
    (www / "keyinfo").write_text("key.bin\nhls-aes/key.bin\n0123456789abcdef0123456789abcdef\n")
    for folder, more in (("hls", []), ("hls-aes", ["-hls_key_info_file", "keyinfo"])):
        ffmpeg("-stream_loop", "9", "-i", "minute.mp4", "-t", "600", "-c", "copy", "-f", "hls", "-hls_time", str(SECONDS),
               "-hls_list_size", "0", "-hls_playlist_type", "vod", *more, "-hls_segment_filename", f"{folder}/s%03d.ts",
               f"{folder}/index.m3u8")
    (www / "minute.mp4").unlink()


def addresses(folder):
    lines = (f"http://127.0.0.1:{PORT}/{folder}/s{n:03}.ts\n" for n in range(SEGMENTS))
    return "".join(lines)


def install_peers():
    if (WORK / "peers" / "bin" / "yt-dlp").exists():
        return
    subprocess.run([sys.executable, "-m", "venv", str(WORK / "peers")], check=True)
    pip = [str(WORK / "peers" / "bin" / "pip"), "install", "-q", "-r", str(HERE / "peers.txt")]
    subprocess.run(pip, check=True)


def start_server():
    (WORK / "nginx.conf").write_text(CONFIG.format(work=WORK, port=PORT))
    server = subprocess.Popen(["taskset", "-c", SERVER_CORE, "nginx", "-e", "stderr", "-p", str(WORK), "-c", "nginx.conf"])
    for _ in range(200):
        ready = subprocess.run(["curl", "-sf", "-o", "/dev/null", f"http://127.0.0.1:{PORT}/hls/index.m3u8"], check=False)
        if ready.returncode == 0:
            return server
        time.sleep(0.05)
    raise SystemExit("nginx doesn't answer")


COLOURS = {"sessile": "#2a6f97", "curl": "#7f8c8d", "aria2c": "#95a5a6", "ffmpeg": "#b08968", "streamlink": "#8d99ae", "yt-dlp": "#c08497"}


def plot(bars):
    """Wall time in seconds."""
    step, left, scale = 22, 130, 80
    parts, y = [], 40
    for title, walls in bars:
        parts.append(f'<text x="8" y="{y}" font-weight="bold">{title}</text>')
        for name, value in sorted(walls.items(), key=lambda item: item[1]):
            y += step
            shown = min(value, 9)
            colour = COLOURS[name.split(",")[0]]
            parts.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{name}</text>')
            parts.append(f'<rect x="{left}" y="{y - 9}" width="{shown * scale:.0f}" height="16" fill="{colour}"/>')
            parts.append(f'<text x="{left + shown * scale + 6:.0f}" y="{y + 4}">{value:.2f}</text>')
        y += step + 14
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 930 {y}" font-family="sans-serif" font-size="13">'
    ground = f'<rect width="930" height="{y}" fill="#ffffff"/>'
    title = '<text x="8" y="18" font-size="15">seconds for 10 minutes of film, 203 MB in 150 segments (less is better)</text>'
    return "\n".join([head, ground, title, *parts, "</svg>", ""])


CONFIG = """
load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;
user root;
daemon off;
worker_processes 1;
pid {work}/pid;
error_log stderr;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  sendfile on;
  tcp_nodelay on;
  keepalive_requests 1000000;
  default_type application/octet-stream;
  types {{ application/vnd.apple.mpegurl m3u8; video/mp2t ts; }}
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  root {work}/www;
  server {{
    listen 127.0.0.1:{port};
    # The same files, 50 ms later each.
    location /late/ {{ echo_sleep 0.05; echo_exec @late; }}
    location @late {{ rewrite ^/late/(.*)$ /$1 break; }}
  }}
}}
"""

if __name__ == "__main__":
    main()
