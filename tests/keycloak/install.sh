#!/usr/bin/env bash
# Prints the folder of a Keycloak that is ready to be started, and makes it first if it is not there: fetched by Maven, unpacked, built.
# It is kept in ~/.cache/kagiya, or where KAGIYA_TEST_KEYCLOAK_CACHE says. Needs Java 17 or newer, Maven and unzip; fails without them.
set -euo pipefail
version=26.7.3
cache=${KAGIYA_TEST_KEYCLOAK_CACHE:-$HOME/.cache/kagiya}
home=$cache/keycloak-$version
fail() { printf 'Keycloak for the tests: %s\n' "$*" >&2; exit 1; }
for tool in java mvn unzip flock; do
  command -v "$tool" > /dev/null || fail "$tool is not installed"
done
mkdir -p "$cache"
# Whoever comes second waits for the first.
exec 9> "$cache/lock"
flock 9
if [ ! -e "$home/ready" ]; then
  scratch=$(mktemp -d "$cache/making.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  mvn -q -B dependency:copy "-Dartifact=org.keycloak:keycloak-quarkus-dist:$version:zip" "-DoutputDirectory=$scratch" >&2 < /dev/null ||
    fail "Maven did not fetch it"
  unzip -q "$scratch/keycloak-quarkus-dist-$version.zip" -d "$scratch" || fail "it cannot be unpacked"
  # What is decided when it is built: a start that decides otherwise would build it again.
  "$scratch/keycloak-$version/bin/kc.sh" build --db=dev-file --health-enabled=true > "$scratch/build.log" 2>&1 < /dev/null ||
    { cat "$scratch/build.log" >&2; fail "it cannot be built"; }
  rm -rf "$home"
  mv "$scratch/keycloak-$version" "$home"
  touch "$home/ready"
fi
printf '%s\n' "$home"
