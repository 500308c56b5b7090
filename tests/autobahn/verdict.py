#!/usr/bin/env python3
"""verdict.py [--late] REPORTS: what became of the Autobahn cases; exit 1 unless all 517 are good and closed well.
With --late: the ids of those that only ran out of the suite's time."""

import collections
import glob
import json
import sys

CASES = 517
GOOD = ("OK", "INFORMATIONAL", "NON-STRICT")

verdicts, bad, late = collections.Counter(), [], []
for name in glob.glob(sys.argv[-1] + "/*_case_*.json"):
    with open(name) as report:
        case = json.load(report)
    verdicts[case["behavior"]] += 1
    if case["behavior"] not in GOOD or case["behaviorClose"] not in ("OK", "INFORMATIONAL"):
        bad.append((case["id"], case["behavior"], case["behaviorClose"], case["result"]))
        if "did not finish within" in case["result"]:
            late.append(case["id"])
if "--late" in sys.argv:
    print(*sorted(late))
    sys.exit()
for case in sorted(bad):
    print(*case)
total = sum(verdicts.values())
print(f"{total} cases: {dict(verdicts)}; {len(bad)} bad")
sys.exit(bool(bad) or total != CASES)
