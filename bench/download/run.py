#!/usr/bin/env python3
"""Fetches 1 GiB from one nginx on loopback with each program in turn; writes the figures of README.md.

    ./run.py [--rounds N] [--size MIB] [--keep]

What it makes lies under `.work` beside this file (BENCH_DIR changes that). `--keep` prints the
figures and leaves README.md as it is.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
WORK = pathlib.Path(os.environ.get("BENCH_DIR", HERE / ".work")).resolve()
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent.parent / "target"))
SESSILE = TARGET / "release" / "sessile"
PORTS = {"plain": 24180, "TLS, HTTP/1.1": 24181, "TLS, HTTP/2": 24182}
CLIENT_CORE, SERVER_CORE = "0", "1"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    server = start_server(options.size)
    try:
        text = "\n".join(
            table(kind, sink, options) for kind in PORTS for sink in ("/dev/null", "a file")
        )
    finally:
        server.terminate()
        server.wait()
    print(text)
    if not options.keep:
        readme = HERE / "README.md"
        head = readme.read_text().split("<!-- figures -->")[0]
        readme.write_text(f"{head}<!-- figures -->\n{text}")


def clients(url, sink):
    """The command lines, by name. The certificate is believed in the same way by all."""
    authority = str(WORK / "ca.pem")
    trust = {"curl": [], "sessile": [], "wget": []}
    if url.startswith("https"):
        trust = {"curl": ["--cacert", authority], "sessile": ["--cacert", authority],
                 "wget": ["--ca-certificate", authority]}
    lines = {
        "curl": ["curl", "-sS", *trust["curl"], "-o", sink, url],
        "sessile": [str(SESSILE), "-q", "get", *trust["sessile"], "-o", sink, url],
    }
    if shutil.which("wget"):
        lines["wget"] = ["wget", "-q", *trust["wget"], "-O", sink, url]
    return lines


def table(kind, sink, options):
    scheme = "http" if kind == "plain" else "https"
    url = f"{scheme}://localhost:{PORTS[kind]}/large"
    target = "/dev/null" if sink == "/dev/null" else str(WORK / "out")
    lines = clients(url, target)
    runs = {name: [] for name in lines}
    for turn in range(options.rounds + 1):
        names = list(lines)
        names = names[turn % len(names):] + names[:turn % len(names)]
        for name in names:
            found = run(lines[name])
            if target != "/dev/null":
                assert os.path.getsize(target) == options.size << 20, name
                os.unlink(target)
            # The first round only warms up.
            if turn:
                runs[name].append(found)
    return shown(kind, sink, runs)


def run(line):
    """Wall and processor time in seconds."""
    start = time.monotonic()
    child = subprocess.Popen(["taskset", "-c", CLIENT_CORE, *line], stdin=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, line
    return wall, usage.ru_utime + usage.ru_stime


def shown(kind, sink, runs):
    rows = [f"**{kind}, to {sink}**\n", "| program | wall s | ÷ curl | CPU s | ÷ curl |",
            "| --- | ---: | ---: | ---: | ---: |"]
    for name, found in runs.items():
        wall, cpu = (statistics.median(part) for part in zip(*found))
        ratios = [statistics.median(own[part] / curls[part] for own, curls in zip(found, runs["curl"]))
                  for part in (0, 1)]
        rows.append(f"| {name} | {wall:.2f} | {ratios[0]:.2f} | {cpu:.2f} | {ratios[1]:.2f} |")
    return "\n".join(rows) + "\n"


def start_server(size):
    large = WORK / "www" / "large"
    large.parent.mkdir(exist_ok=True)
    if not large.exists() or large.stat().st_size != size << 20:
        piece = os.urandom(1 << 20)
        with large.open("wb") as file:
            for _ in range(size):
                file.write(piece)
    certificates()
    (WORK / "nginx.conf").write_text(CONFIG.format(work=WORK, **{
        "plain": PORTS["plain"], "tls": PORTS["TLS, HTTP/1.1"], "http2": PORTS["TLS, HTTP/2"]}))
    server = subprocess.Popen(["taskset", "-c", SERVER_CORE, "nginx", "-e", "stderr", "-p", str(WORK),
                               "-c", "nginx.conf"])
    for _ in range(200):
        ready = subprocess.run(["curl", "-s", "-o", "/dev/null", "-r", "0-0",
                                f"http://localhost:{PORTS['plain']}/large"], check=False)
        if ready.returncode == 0:
            return server
        time.sleep(0.05)
    raise SystemExit("nginx doesn't answer")


def certificates():
    if (WORK / "server.pem").exists():
        return
    openssl = lambda *words: subprocess.run(["openssl", *words], cwd=WORK, check=True, capture_output=True)
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *curve, "-days", "30", "-subj", "/CN=authority", "-keyout", "ca.key",
            "-out", "ca.pem")
    openssl("req", *curve, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
    (WORK / "names").write_text("subjectAltName=DNS:localhost\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "30",
            "-extfile", "names", "-out", "server.pem")


CONFIG = """
user root;
daemon off;
worker_processes 1;
pid {work}/pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  output_buffers 2 64k;
  http2_chunk_size 64k;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  root {work}/www;
  ssl_certificate {work}/server.pem;
  ssl_certificate_key {work}/server.key;
  ssl_buffer_size 16k;
  server {{ listen 127.0.0.1:{plain}; }}
  server {{ listen 127.0.0.1:{tls} ssl; }}
  server {{ listen 127.0.0.1:{http2} ssl http2; }}
}}
"""

if __name__ == "__main__":
    main()
