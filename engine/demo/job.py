"""A job that fails, to show what a failure looks like."""

from __future__ import annotations

import sys
import time


def main() -> int:
    print("migrating 3 tables", flush=True)
    for number, table in enumerate(("users", "orders", "invoices"), 1):
        time.sleep(0.4)
        if table == "invoices":
            print(f"error: table {table}: column `total` already exists", file=sys.stderr, flush=True)
            print("1 of 3 tables could not be migrated", file=sys.stderr, flush=True)
            return 3
        print(f"  {number}/3 {table}: ok", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
