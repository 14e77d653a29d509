"""1,000 sessions of requests with 20 cookies each, saved to one pickle file and loaded again."""

import pickle
import sys
import time

import requests

path = sys.argv[1]
sessions = {}
for number in range(1000):
    session = requests.Session()
    for cookie in range(20):
        session.cookies.set(f"cookie-{cookie}", "v" * 32, domain="shop.example", path="/")
    sessions[f"session-{number}"] = session
begun = time.perf_counter()
with open(path, "wb") as file:
    pickle.dump(sessions, file)
saved = time.perf_counter()
with open(path, "rb") as file:
    loaded = pickle.load(file)
assert len(loaded) == 1000
print(f"saved {(saved - begun) * 1e3:.1f}")
print(f"saved-and-loaded {(time.perf_counter() - begun) * 1e3:.1f}")
