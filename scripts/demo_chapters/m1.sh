# Each kind of request that static routing knows. Sourced by scripts/demo.
# shellcheck shell=bash disable=SC2154

echo "${bold}One router ($router), four cells: ${cells[*]}.${plain} The header X-Routing-Key says whom a request is for."

ask "visa has a cell of its own." / -H 'X-Routing-Key: visa'
routed visa dedicated
check "routing_key in the log" "$(log_field routing_key)" visa
check "the key that the cell was told" "$(body_field X-Cell-Key)" visa
check "the placement that the cell was told" "$(body_field X-Cell-Placement)" visa

ask "acme shares tier1 with others." / -H 'X-Routing-Key: acme'
routed tier1 tier
ask "initech is one of them: two keys, one placement." / -H 'X-Routing-Key: initech'
routed tier1 tier
ask "globex is on tier2." / -H 'X-Routing-Key: globex'
routed tier2 tier
ask "Nobody knows this key: it goes to the default placement." / -H 'X-Routing-Key: newcomer'
routed tier3 default
ask "Keys compare byte by byte: Visa is not visa." / -H 'X-Routing-Key: Visa'
routed tier3 default

ask "Method, path and query reach the cell byte for byte." '/a%2Fb//c/../d;e?a=1&a=2&b=%20&c' --path-as-is -X DELETE -H 'X-Routing-Key: acme'
show_seen method path query
routed tier1 tier
check "the method that the cell saw" "$(body_field method)" DELETE
check "the path that the cell saw" "$(body_field path)" '/a%2Fb//c/../d;e'
check "the query that the cell saw" "$(body_field query)" 'a=1&a=2&b=%20&c'
check "method in the log" "$(log_field method)" DELETE
check "path in the log" "$(log_field path)" '/a%2Fb//c/../d;e'
check "the id that the cell saw" "$(body_field X-Request-Id)" "$request_id"

ask "What a client claims about itself is replaced." / -H 'X-Routing-Key: visa' -H 'X-Cell-Key: admin' \
  -H 'X-Cell-Placement: all' -H 'X-Forwarded-For: 203.0.113.7' -H 'Connection: X-Secret' -H 'X-Secret: 1'
show_seen X-Cell-Key X-Cell-Placement X-Forwarded-For X-Forwarded-Proto X-Secret
routed visa dedicated
check "X-Cell-Key at the cell" "$(body_field X-Cell-Key)" visa
check "X-Cell-Placement at the cell" "$(body_field X-Cell-Placement)" visa
check "X-Forwarded-For at the cell" "$(body_field X-Forwarded-For)" 127.0.0.1
check "X-Forwarded-Proto at the cell" "$(body_field X-Forwarded-Proto)" http
check "X-Secret at the cell" "$(body_field X-Secret)" ""

ask "A cell's own answer comes back as it is, redirects too." /status/302 -H 'X-Routing-Key: acme'
check "status" "$status" 302
decided tier1 tier
check "Proxy-Status" "$(header Proxy-Status)" cellroute
ask "Its failures as well: this 503 is the cell's, so Proxy-Status names no error." /status/503 -H 'X-Routing-Key: acme'
check "status" "$status" 503
decided tier1 tier
check "Proxy-Status" "$(header Proxy-Status)" cellroute

ask "No key: the router cannot know whom this is for." / -H 'Accept: application/json'
refused 400 http_request_error
check "the body" "$(cat "$scratch/body")" '*X-Routing-Key*'
check "X-Routed-To" "$(header X-Routed-To)" ""
check "Content-Type" "$(header Content-Type)" 'application/json*'
ask "An empty key is no key." / -H 'X-Routing-Key;'
refused 400 http_request_error
ask "Two keys are none: another hop might pick the other one." / -H 'X-Routing-Key: acme' -H 'X-Routing-Key: visa'
refused 400 http_request_error
ask "Nor is a list one." / -H 'X-Routing-Key: acme, visa'
refused 400 http_request_error
ask "A key has at most 256 bytes; this one has 257." / -H "X-Routing-Key: $(printf 'k%.0s' {1..257})"
refused 400 http_request_error

# A pipe has no length: curl sends what comes, in chunks. The sum is CRC-32 of the same bytes.
seq 1000000 >"$scratch/upload"
ask "An upload from a pipe streams through." /upload -X POST -H 'X-Routing-Key: globex' -T - < <(cat "$scratch/upload")
check "status" "$status" 200
decided tier2 tier
check "the bytes that the cell counted" "$(body_field bytes)" "$(wc -c <"$scratch/upload")"
check "their CRC-32" "$(body_field crc32)" "$(gzip -c <"$scratch/upload" | tail -c 8 | od -An -tx4 -N4 | tr -d ' ')"

ask "An answer streams, too: the first byte is here long before the last." '/stream?n=16&ms=100' -H 'X-Routing-Key: globex'
check "status" "$status" 200
check "the bytes that came" "$(wc -c <"$scratch/body")" 128
check "first byte at least 0.3 s before the last" "$(awk "BEGIN { print ($total_s - $first_byte_s >= 0.3) }")" 1

ask "A cell that takes too long: 504 after the limit, 1s here." '/slow?ms=3000' -H 'X-Routing-Key: newcomer'
refused 504 http_response_timeout
decided tier3 default
check "the wait" "$(awk "BEGIN { print ($total_s >= 0.95 && $total_s < 2.9) }")" 1

stop "${cell_pid[visa]}"
ask "The cell of visa is killed: 502, for visa." / -H 'X-Routing-Key: visa'
refused 502 connection_refused
decided visa dedicated
ask "For nobody else." / -H 'X-Routing-Key: acme'
routed tier1 tier
start_cell visa
ask "It is back, and so is visa." / -H 'X-Routing-Key: visa'
routed visa dedicated

printf '\n%sThe tool says beforehand what the router will do, and the admin port while it runs.%s\n' "$bold" "$plain"
checked=$("$bin/cellroute" check "$scratch/router.yaml" 2>&1) || true
printf '  %s$ cellroute check router.yaml%s\n  %s\n' "$dim" "$plain" "$checked"
check "the configuration" "$checked" '*: valid; 4 keys, 4 placements,*'
told=$("$bin/cellroute" explain visa --config "$scratch/router.yaml" --json) || true
check "the placement that the tool tells" "$(json_field placement <<<"$told")" visa
check "the reason that the tool tells" "$(json_field reason <<<"$told")" dedicated
explained=$(http "http://$admin/v1/explain?key=visa") || true
printf '  %s$ curl http://%s/v1/explain?key=visa%s\n  %s\n' "$dim" "$admin" "$plain" "$explained"
check "the placement explained" "$(json_field placement <<<"$explained")" visa
check "the reason explained" "$(json_field reason <<<"$explained")" dedicated
check "health" "$(http "http://$admin/health")" '{"status":"ok"}*'
check "the requests counted" "$(http "http://$admin/metrics" | grep -c '^gateway_requests_total{')" '[1-9]*'
