# A configuration that changes while requests run. Sourced by scripts/demo.
# shellcheck shell=bash disable=SC2154

printf '\n%sNow the configuration changes, while one client never stops asking.%s\n' "$bold" "$plain"
config=$scratch/router.yaml

start_load "$scratch/load" "$router"

# edit FROM TO: replaces it in the file, as an editor does that saves.
edit() {
  printf '  %s$ sed -i "s/%s/%s/" router.yaml%s\n' "$dim" "$1" "$2" "$plain"
  sed -i "s/$1/$2/" "$config"
}
answered_by() { [ "$(http --output /dev/null --write-out '%header{X-Routed-To}' -H "X-Routing-Key: $1" "http://$router/")" = "$2" ]; }
event_line() { grep -F "\"event\":\"$1\"" "$scratch/router.log" | tail -n 1; }

# move FROM TO: an edit; the least time that one of them took to be live is then in $live_ms.
generation=1
live_ms=
move() {
  local began ms
  began=$(date +%s%N)
  edit "initech: $1" "initech: $2"
  wait_until 10 answered_by initech "$2" || true
  ms=$((($(date +%s%N) - began) / 1000000))
  generation=$((generation + 1))
  printf '  live after %s ms\n' "$ms"
  if [ -z "$live_ms" ] || [ "$ms" -lt "$live_ms" ]; then live_ms=$ms; fi
}
move tier1 tier2
if [ "$live_ms" -ge 1000 ]; then  # the machine may be busy for a while
  move tier2 tier1
  move tier1 tier2
fi
check "the edit is live within a second" "$((live_ms < 1000))" 1
ask "initech has moved to tier2, and nobody else." / -H 'X-Routing-Key: initech'
routed tier2 tier
ask "acme is where it was." / -H 'X-Routing-Key: acme'
routed tier1 tier
applied=$(event_line config_applied)
printf '  log: %s%s%s\n' "$dim" "$applied" "$plain"
check "the generation in the log" "$(json_field generation <<<"$applied")" "$generation"
check "what moved, in the log" "$applied" '*"keys_moved":1,*"moves":\["tier1 -> tier2: 1"\]*'

printf '\n%sA mistake: tier9 is no placement. It is refused, and what ran keeps running.%s\n' "$bold" "$plain"
edit 'initech: tier2' 'initech: tier9'
wait_until 3 event_line config_rejected >/dev/null || true
rejected=$(event_line config_rejected)
printf '  log: %s%s%s\n' "$dim" "$rejected" "$plain"
check "the mistake in the log" "$rejected" '*router.yaml:*: routing.keys.inline.initech: *tier9*'
shown=$(http "http://$admin/debug/config") || true
printf '  %s$ curl http://%s/debug/config%s\n  %s\n' "$dim" "$admin" "$plain" "$shown"
check "the generation in use" "$(json_field generation <<<"$shown")" "$generation"
check "the mistake on the admin port" "$shown" '*"rejected":{"at":"*","mistakes":\["*tier9*'
ask "initech is still on tier2." / -H 'X-Routing-Key: initech'
routed tier2 tier

printf '\n%sMended: back to tier1, and asked for instead of waited for.%s\n' "$bold" "$plain"
edit 'initech: tier9' 'initech: tier1'
reloaded=$(http -X POST "http://$admin/v1/reload") || true
printf '  %s$ curl -X POST http://%s/v1/reload%s\n  %s\n' "$dim" "$admin" "$plain" "$reloaded"
check "what came of it" "$reloaded" "{\"result\":\"applied\",\"generation\":$((generation + 1))}*"
ask "initech is on tier1 again." / -H 'X-Routing-Key: initech'
routed tier1 tier
check "the refusal is over" "$(http "http://$admin/debug/config")" '*"rejected":null*'

end_load
check "requests on tier1, and on tier2" "$(cut -d' ' -f2 "$scratch/load" | sort -u | tr '\n' ' ')" 'tier1 tier2 '
