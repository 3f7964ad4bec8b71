"""A chatty program: levels, colours, JSON, a stack trace now and then, some of it on stderr."""

from __future__ import annotations

import json
import random
import signal
import sys
import time

PAGES = ("/", "/login", "/cart", "/api/orders", "/api/orders/17", "/static/app.css")
COLOURS = {"INFO": 32, "WARN": 33, "ERROR": 31, "DEBUG": 36}


def say(level: str, text: str) -> None:
    stream = sys.stderr if level == "ERROR" else sys.stdout
    print(f"\x1b[{COLOURS[level]}m{level:5}\x1b[0m {text}", file=stream, flush=True)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    count = 0
    while True:
        count += 1
        chance = random.random()
        page, took = random.choice(PAGES), random.expovariate(1 / 40)
        if chance < 0.04:
            say("ERROR", f"order {count} could not be saved: connection to database lost")
            print("  at save (orders.py:88)\n  at handle (server.py:31)", file=sys.stderr, flush=True)
        elif chance < 0.12:
            say("WARN", f"slow request: GET {page} took {took + 800:.0f} ms")
        elif chance < 0.2:
            print(json.dumps({"level": "info", "path": page, "ms": round(took, 1), "request": count}), flush=True)
        elif chance < 0.3:
            say("DEBUG", f"cache hit for {page}")
        else:
            say("INFO", f"GET {page} 200 {took:.0f} ms")
        time.sleep(random.uniform(0.1, 0.8))


if __name__ == "__main__":
    main()
