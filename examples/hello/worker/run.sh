#!/bin/sh
# Counts up and remembers how far it came: /data is a named volume, so a new release goes on where the old one stopped.
trap 'exit 0' TERM
n=$(cat /data/count 2>/dev/null || echo 0)
while true; do
  n=$((n + 1))
  echo "$n" >/data/count.new && mv /data/count.new /data/count
  echo "worker: count $n"
  sleep "${PERIOD:-5}" &
  wait $!
done
