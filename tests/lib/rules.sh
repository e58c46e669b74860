#!/bin/bash
# rules.sh - every numbered rule of ZooKeeper's semantics that we keep has a
# test whose name has its number: rule30_delete_tells_each_watcher_once. Not in
# the list are the rules on what is not built yet: durability.
cd "$(dirname "$0")/../.." || exit 1
rules='1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30
	31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56
	57 58 59 60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79 80 81 82 92 95 96
	97 98 99 100 101 102'
named=$(grep -rhoE '^START_TEST\([a-z0-9_]+\)' tests --include='*.c' | grep -oE 'rule[0-9]+_' | sort -u)
bad=0
for rule in $rules; do
	grep -qx "rule${rule}_" <<<"$named" || {
		echo "lint: no test is named after rule $rule (rule${rule}_...)"
		bad=1
	}
done
exit $bad
