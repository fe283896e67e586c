#!/bin/sh
# Makes up a reading every few seconds. /data is a named volume that the page reads.
trap 'exit 0' TERM
n=0
while true; do
  n=$((n + 1))
  echo "reading $n: $((n % 30)) $(cat /unit)" >/data/reading.new && mv /data/reading.new /data/reading
  cat /data/reading
  sleep 5 &
  wait $!
done
