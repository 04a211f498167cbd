#!/usr/bin/env python3
"""Medians, with least and most, of the raw lines of exchange.sh, and the ratios, each taken round by round. As Markdown."""
import collections, statistics, sys

rounds = collections.defaultdict(dict)  # case -> round -> figures
values = collections.defaultdict(list)
for line in open(sys.argv[1]):
    number, case, *pairs = line.split()
    figures = {name: float(text) for name, text in (pair.split("=") for pair in pairs)}
    if number == "-":
        values[case].append(figures["value"])
    else:
        figures["cpu"] = figures["ticks"] * 10_000 / max(figures["requests"], 1)
        rounds[case][number] = figures

# what, the case, the figure, the case beside it, the goal
RATIOS = [
    ("forged key", "forged", "rps", "bare", "≥ 0.85"),
    ("fresh ES256 token", "es", "rps", "bare", ""),
    ("fresh EdDSA token", "ed", "rps", "bare", ""),
    ("fresh RS256 token", "rs", "rps", "bare", ""),
    ("token reused", "reuse", "rps", "bare", ""),
    ("cold key, SQLite", "cold", "rps", "bare", ""),
    ("cold key, PostgreSQL", "cold-pg", "rps", "bare", ""),
    ("many keys stored, beside 1,000", "large", "rps", "small", "≥ 0.88"),
    ("one connection, ES256, p50", "es-alone", "p50", "bare-alone", "≤ 1.45"),
    ("one connection, EdDSA, p50", "ed-alone", "p50", "bare-alone", "≤ 1.45"),
    ("durable creates, 16 writers beside one", "create-16", "rps", "create-1", "≥ 3"),
    ("fresh ES256 token", "es", "rps", "ceiling-es", "≥ 0.80"),
    ("fresh ES256 token, processor time", "es", "cpu", "ceiling-es", "≤ 1.25"),
    ("fresh EdDSA token", "ed", "rps", "ceiling-ed", "≥ 0.80"),
    ("fresh EdDSA token, processor time", "ed", "cpu", "ceiling-ed", "≤ 1.25"),
    ("fresh EdDSA token, p99", "ed", "p99", "ceiling-ed", "≤ 1.5"),
    ("fresh RS256 token", "rs", "rps", "ceiling-rs", ""),
    ("token reused", "reuse", "rps", "ceiling-cached", "≥ 0.80"),
    ("cold key, SQLite", "cold", "rps", "ceiling-sqliteblk-ed", "≥ 0.80"),
    ("cold key, PostgreSQL", "cold-pg", "rps", "ceiling-pgsync-ed", "≥ 0.80"),
]
VALUES = [
    ("idle, MiB", "idle_mib", "≤ 40"),
    ("bytes a cached key", "bytes_a_key", "≤ 250"),
    ("start to first token, 1,000 keys, ms", "first_answer_small", "≤ 150"),
    ("start to first token, many keys, ms", "first_answer_large", "≤ 1000"),
]


def spread(figures, digits):
    middle, least, most = statistics.median(figures), min(figures), max(figures)
    return f"{middle:.{digits}f} ({least:.{digits}f}..{most:.{digits}f})" if len(figures) > 1 else f"{middle:.{digits}f}"


def verdict(goal, figure):
    if not goal:
        return ""
    bound = float(goal.split()[1])
    return "yes" if (figure >= bound if goal[0] == "≥" else figure <= bound) else "**no**"


print("| what | beside | ratio | goal | met |\n|---|---|---|---|---|")
for what, case, figure, beside, goal in RATIOS:
    both = rounds[case].keys() & rounds[beside].keys()
    ratios = [rounds[case][r][figure] / rounds[beside][r][figure] for r in both if rounds[beside][r][figure]]
    if ratios:
        print(f"| {what} | {beside} | {spread(ratios, 3)} | {goal} | {verdict(goal, statistics.median(ratios))} |")
print("\n| what | figure | goal | met |\n|---|---|---|---|")
for what, name, goal in VALUES:
    if values[name]:
        print(f"| {what} | {spread(values[name], 0)} | {goal} | {verdict(goal, statistics.median(values[name]))} |")
print("\n| case | requests/s | p50 µs | p99 µs | processor µs a request | not 2xx | broken |\n|---|---|---|---|---|---|---|")
for case, by_round in rounds.items():
    if by_round:
        of = lambda name: [figures[name] for figures in by_round.values()]
        print(f"| {case} | {spread(of('rps'), 0)} | {statistics.median(of('p50')):.0f} | {spread(of('p99'), 0)} "
              f"| {statistics.median(of('cpu')):.1f} | {sum(of('refused')):.0f} | {sum(of('broken')):.0f} |")

for case, by_round in rounds.items():
    wrong = sum(f["broken"] + (0 if case == "forged" else f["refused"]) for f in by_round.values())
    if wrong:
        print(f"\n**{case}: {wrong:.0f} requests were not answered as they should be; its figures mean nothing.**")
