#!/bin/sh
# The tests of greet.sh.
failed=0

expect() {
  if [ "$1" = "$2" ]; then
    echo "ok: $2"
  else
    echo "expected \`$2\`, got \`$1\`" >&2
    failed=1
  fi
}

expect "$(sh greet.sh)" 'Hello, world!'
expect "$(sh greet.sh Ada)" 'Hello, Ada!'
expect "$(sh greet.sh 'two words')" 'Hello, two words!'
exit "$failed"
