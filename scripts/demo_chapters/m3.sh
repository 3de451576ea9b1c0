# One control plane, two routers that take their routing from it, and an operator. Sourced by scripts/demo.
# shellcheck shell=bash disable=SC2154

printf '\n%sNow one place tells two routers what to do.%s\n' "$bold" "$plain"
plane=127.0.0.1:$((port_base + 6))
tool=$(cd "$bin" && pwd)/cellroute
fleet=("127.0.0.1:$((port_base + 7))" "127.0.0.1:$((port_base + 8))")
fleet_admin=("127.0.0.1:$((port_base + 9))" "127.0.0.1:$((port_base + 10))")

start_plane() {
  start "$scratch/control.log" "$bin/cellroute-control" --store "sqlite:$scratch/control.db" --listen "$plane"
  plane_pid=$started_pid
  wait_until 5 http --fail "http://$plane/readyz" || die "the control plane did not start"
}
# ctl WORD...: as an operator types it; what it printed is then in $told, how it ended in $told_status.
ctl() {
  printf '  %s$ cellroute ctl%s%s\n' "$dim" "$(as_typed "$@")" "$plain"
  told_status=0
  told=$(cd "$scratch" && "$tool" ctl --url "http://$plane" "$@" 2>&1) || told_status=$?
  sed 's/^/  /' <<<"$told"
}
# placed KEY: where each router leads it, like `tier1 tier1`.
placed() {
  local one
  for one in "${fleet[@]}"; do
    http --output /dev/null --write-out '%header{X-Routed-To} ' -H "X-Routing-Key: $1" "http://$one/" || true
  done
}
all_place() { [ "$(placed "$1")" = "$2 $2 " ]; }
ctl_says() { "$tool" ctl --url "http://$plane" "$1" 2>/dev/null | grep -q "$2"; }

start_plane
for i in 0 1; do
  cat >"$scratch/r$i.yaml" <<YAML
listeners: [{name: web, address: "${fleet[$i]}"}]
admin: {address: "${fleet_admin[$i]}"}
process: {drain: {unready_for: 0s}, state_dir: "$scratch/state$i"}
guard: {min_keys: 3}
control_plane: {urls: ["ws://$plane/connect"]}
YAML
  mkdir -m 700 "$scratch/state$i"
  start "$scratch/r$i.log" "$bin/cellroute-router" --config "$scratch/r$i.yaml"
done
both_wait() {
  local one
  for one in "${fleet[@]/%//}" "${fleet_admin[@]/%//ready}"; do
    [ "$(http --output /dev/null --write-out '%{http_code}' "http://$one")" = 503 ] || return
  done
}
wait_until 5 both_wait || true
check "a router that was told nothing yet" "$(http "http://${fleet_admin[0]}/ready")" '*unconfigured*'

sed -n '/^routing:/,$p' "$scratch/router.yaml" >"$scratch/fleet.yaml"
ctl push fleet.yaml --message 'the first'
check "the first version" "$told" 'version 1: 4 keys; 4 added, 0 moved, 0 removed'
wait_until 5 all_place initech tier1 || true
check "where both routers lead initech" "$(placed initech)" 'tier1 tier1 '

start_load "$scratch/fleet_load" "${fleet[@]}"

printf '\n%sA tenant moves, while requests run.%s\n' "$bold" "$plain"
ctl keys set initech tier2 --dry-run
check "what it would do" "$told" '*1 moved (25 %)*'
began=$(date +%s%N)
ctl keys set initech tier2 --message 'it grows'
wait_until 3 all_place initech tier2 || true
live_ms=$((($(date +%s%N) - began) / 1000000))
printf '  live on both after %s ms\n' "$live_ms"
check "where both routers lead initech" "$(placed initech)" 'tier2 tier2 '
check "it is live within two seconds, seen by curl" "$((live_ms < 2000))" 1

printf '\n%sA mistake, and one more: nothing of it is published.%s\n' "$bold" "$plain"
sed -e 's/globex: tier2/globex: tier8/' -e 's/default_placement: tier3/default_placement: tier9/' "$scratch/fleet.yaml" >"$scratch/bad.yaml"
ctl push bad.yaml
check "the exit code" "$told_status" 1
check "both mistakes, with their places" "$told" '*bad.yaml:2:*tier9*bad.yaml:3:*tier8*'

printf '\n%sA push that the routers do not let happen: their guard wants three keys.%s\n' "$bold" "$plain"
sed 's/keys: {inline: .*/keys: {inline: {acme: tier1}}/' "$scratch/fleet.yaml" >"$scratch/small.yaml"
ctl push small.yaml
refused_by_both() { ctl_says status '2 refused it'; }
wait_until 5 refused_by_both || true
ctl routers
check "both refused, with the reason" "$told" '*rejected*min_keys*rejected*min_keys*'
check "where both routers lead initech" "$(placed initech)" 'tier2 tier2 '
ctl rollback 2 --message 'too few keys'
check "the way back is a new version" "$told" 'version 4: 4 keys*'
on_target() { ctl_says status '2 connected, 2 on target'; }
wait_until 5 on_target || true
ctl status
check "both on target" "$told" '*2 connected, 2 on target, 0 refused it*'

printf '\n%sThe control plane is killed. Nobody who asks a router notices.%s\n' "$bold" "$plain"
kill -KILL "$plane_pid"
wait "$plane_pid" 2>/dev/null || true
before=$(wc -l <"$scratch/fleet_load")
sleep 1
check "requests meanwhile" "$(($(wc -l <"$scratch/fleet_load") > before))" 1
start_plane
wait_until 10 on_target || true
ctl where initech
check "where it leads, and its history" "$told" 'initech -> placement tier2,*2 *tier1 *tier2*1 *- *tier1*'
ctl history
check "the history" "$told" '*4 *back to 2: too few keys*it grows*the first'

end_load
