"""Crawlee's pool in Python: crawlee_pool.py MEMBERS

A pick has no end there: it is followed by `mark_good`, which is the nearest to giving back.
"""

import asyncio
import sys
import time
from datetime import timedelta

from crawlee.sessions import SessionPool


async def main():
    members = int(sys.argv[1])
    settings = {"max_usage_count": 10**12, "max_age": timedelta(days=10)}
    async with SessionPool(max_pool_size=members, create_session_settings=settings) as pool:

        async def rate(seconds):
            begun, before, done = time.perf_counter(), time.thread_time(), 0
            while time.perf_counter() - begun < seconds:
                (await pool.get_session()).mark_good()
                done += 1
            return done / (time.thread_time() - before)

        await rate(0.3)
        print(f"pick and mark\t{members}\t{await rate(2):.0f}", flush=True)


asyncio.run(main())
