# What the scripts share. Sourced, not run. Whoever sources it stands in the root of the tree.

started=()  # the processes that this script started: only these are ended, by their id
scratch=    # a folder of this run alone, removed at the end

die() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# make_scratch: a folder in $scratch that goes away with the script, after all that it started has ended.
make_scratch() {
  scratch=$(mktemp -d)
  trap end_all EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

# start LOG COMMAND...: runs it in the background; its id is then in $started_pid.
start() {
  local log=$1
  shift
  "$@" >"$log" 2>&1 &
  started_pid=$!
  started+=("$started_pid")
}

# stop PID: asks it to end, insists after five seconds. How it ended is then in $stopped_status.
stop() {
  stopped_status=0
  kill -TERM "$1" 2>/dev/null || true
  local tries=50
  while [ $tries -gt 0 ] && kill -0 "$1" 2>/dev/null; do
    sleep 0.1
    tries=$((tries - 1))
  done
  kill -KILL "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || stopped_status=$?
}

end_all() {
  local status=$? pid
  trap - EXIT INT TERM
  for pid in "${started[@]}"; do stop "$pid"; done
  [ -z "$scratch" ] || rm -rf "$scratch"
  exit $status
}

# wait_until SECONDS COMMAND...: tries it until it succeeds; fails when the time is over.
wait_until() {
  local tries=$(($1 * 20))
  shift
  until "$@" >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || return 1
    sleep 0.05
  done
}

# http ARGS...: curl without the user's settings and proxies, bounded.
http() { curl -q --noproxy '*' --silent --show-error --max-time 30 "$@"; }

configured_with=()  # what builds are configured with beside what their presets say

# build PRESET TARGET...: configures where needed and builds; quiet unless something fails or a person watches.
build() {
  local preset=$1 quiet=--quiet
  shift
  [ ! -t 1 ] || quiet=
  [ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" "${configured_with[@]}" >"build/$preset.configure" 2>&1 || {
    cat "build/$preset.configure" >&2
    return 1
  }
  cmake --build --preset "$preset" --target "$@" -- $quiet
}
