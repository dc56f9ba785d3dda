#!/usr/bin/env bash
# The plain shell loop that failover replaces, as people write it.
: "${PEER:?}" "${PORT:?}" "${INTERVAL:?}" "${TIMEOUT:?}" "${STRIKES:?}" "${START:?}" "${STOP:?}"
fails=0
while :; do
  if timeout "$TIMEOUT" bash -c "echo > /dev/tcp/$PEER/$PORT" 2>/dev/null; then
    fails=0
    ss -tln | grep -q ":$PORT " && $STOP
  else
    fails=$((fails + 1))
    [ "$fails" -ge "$STRIKES" ] && ! ss -tln | grep -q ":$PORT " && $START
  fi
  sleep "$INTERVAL"
done
