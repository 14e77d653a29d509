"""http.cookiejar, which requests and httpx keep their cookies in.

Run with: python3 http_cookiejar.py SIZE… [worst]
"""

import email.message
import http.cookiejar
import sys
import time
import tracemalloc
import urllib.request

NAME = "http.cookiejar"
PER_DOMAIN = 10


class Reply:
    """A response as the jar wants to see it: headers, nothing else."""

    def __init__(self, lines):
        self.message = email.message.Message()
        for line in lines:
            self.message["Set-Cookie"] = line

    def info(self):
        return self.message


def url(domain):
    return f"https://www.site{domain}.example/account/orders?page=2"


def line(cookie, version):
    return f"cookie{cookie}={cookie:016x}{version:016x}; Path=/; Secure; HttpOnly; Max-Age=86400"


def store(jar, text, target):
    jar.extract_cookies(Reply([text]), urllib.request.Request(target))


def header(jar, target):
    request = urllib.request.Request(target)
    jar.add_cookie_header(request)
    return request.get_header("Cookie") or ""


def fill(jar, domain, count):
    for cookie in range(count):
        store(jar, line(cookie, 0), url(domain))


def timed(run):
    """Seconds of processor time that one run takes: the median of batches."""
    done = 0

    def batch(size):
        nonlocal done
        begin = time.process_time()
        for turn in range(done, done + size):
            run(turn)
        done += size
        return time.process_time() - begin

    size = 1
    while batch(size) < 0.003:
        size *= 2
    times, start = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - start < 0.4:
        times.append(batch(size) / size)
        if time.perf_counter() - start > 5:
            break
    return sorted(times)[len(times) // 2]


def report(case, size, value):
    print(f"{NAME}\t{case}\t{size}\t{value:.3e}", flush=True)


def growth(size):
    domains = size // PER_DOMAIN
    # Counting memory slows storing down by much, so it is done for one size.
    counted = size == 1000
    if counted:
        tracemalloc.start()
    jar = http.cookiejar.CookieJar()
    for domain in range(domains):
        fill(jar, domain, PER_DOMAIN)
    if counted:
        report("bytes", size, tracemalloc.get_traced_memory()[0] / size)
        tracemalloc.stop()
    target = url(domains // 2)
    assert header(jar, target).count("=") == PER_DOMAIN
    report("header", size, timed(lambda turn: header(jar, target)))
    report("replace", size, timed(lambda turn: store(jar, line(turn % PER_DOMAIN, turn), url(turn % domains))))
    report("store", size, timed(lambda turn: store(jar, line(turn, turn), url(domains + turn // PER_DOMAIN))))


def worst():
    jar = http.cookiejar.CookieJar()
    fill(jar, 0, 3000)
    report("3,000 cookies of one domain, header", 3000, timed(lambda turn: header(jar, url(0))))
    report(
        "3,000 cookies of one domain, replace",
        3000,
        timed(lambda turn: store(jar, line(turn % 3000, turn), url(0))),
    )


for word in sys.argv[1:]:
    if word.isdigit():
        growth(int(word))
if "worst" in sys.argv[1:]:
    worst()
