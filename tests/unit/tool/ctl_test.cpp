#include "adapters/tool/ctl.hpp"

#include <doctest/doctest.h>

#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace cellroute::tool {
namespace {

/// A control plane that answers what it was told to, in this order, and remembers what it was asked.
class scripted_way final : public api_transport {
 public:
  explicit scripted_way(std::deque<api_reply> replies) : replies_(std::move(replies)) {}
  expected<api_reply, no_reply> ask(const api_request& what) override {
    std::string line = what.method + " " + what.target;
    for (const auto& [name, value] : what.headers) line += " " + name + ": " + value;
    if (!what.body.empty()) line += " (" + what.type + ") " + what.body;
    asked.push_back(line);
    if (replies_.empty()) return unexpected(no_reply{"nobody is there", is_cut});
    if (what.hears != nullptr) what.hears->on_sent(what.body.size(), what.body.size());
    api_reply next = std::move(replies_.front());
    replies_.pop_front();
    return next;
  }
  /// A good answer is told in two pieces.
  expected<api_reply, no_reply> follow(const api_request& what, piece_listener& to) override {
    auto reply = ask(what);
    if (!reply || reply->status != 200) return reply;
    const std::string body = std::exchange(reply->body, {});
    if (to.on_piece(std::string_view(body).substr(0, body.size() / 2)))
      (void)to.on_piece(std::string_view(body).substr(body.size() / 2));
    return reply;
  }
  void stop() override {}
  std::vector<std::string> asked;
  bool is_cut = false;  ///< when there are no more replies: on the way

 private:
  std::deque<api_reply> replies_;
};

/// A terminal that is ended when it has been waited for so often.
class scripted_console final : public ctl_console {
 public:
  explicit scripted_console(int pauses = 0, bool shows = false) : pauses_(pauses), shows_(shows) {}
  bool print(std::string_view text) override {
    printed += text;
    return can_print;
  }
  void note(std::string_view text) override { noted += text; }
  bool shows_progress() const override { return shows_; }
  std::size_t columns() const override { return 80; }
  time_point now() const override { return now_ += 1s, now_; }
  bool pause(duration how_long) override {
    waits.push_back(how_long);
    return --pauses_ >= 0;
  }
  bool is_ending() const override { return false; }
  std::string printed{};
  std::string noted{};
  std::vector<duration> waits{};
  bool can_print = true;

 private:
  int pauses_;
  bool shows_;
  mutable time_point now_{};
};

const api_reply info{200, R"({"build":"1","cluster":"c","epoch":2,"version":7,"keys":1,"label":"","mistakes":[]})"};
const api_reply made{200, R"({"version":8,"epoch":2,"keys":3,"added":1,"moved":0,"removed":0})"};

struct ctl_case {
  std::string_view says;
  ctl_request asked;
  std::deque<api_reply> replies;
  std::vector<std::string> requests;
  int exit_code;
  std::string_view output;
  std::string_view errors;
};

ctl_request of_verb(ctl_verb verb, auto change) {
  ctl_request asked;
  asked.verb = verb;
  change(asked);
  return asked;
}

const ctl_case ctl_cases[] = {
    {"a key is a part of a path, whatever it holds",
     of_verb(ctl_verb::keys_set,
             [](ctl_request& r) {
               r.key = "a/b ?%\xff";
               r.placement = "p\"";
             }),
     {info, made},
     {"GET /v1/info", "PUT /v1/keys/a%2Fb%20%3F%25%FF If-Match: \"2.7\" (application/json) {\"placement\":\"p\\\"\"}"},
     0,
     "version 8: 3 keys; 1 added, 0 moved, 0 removed\n",
     ""},
    {"with all that a change can have",
     of_verb(ctl_verb::keys_remove,
             [](ctl_request& r) {
               r.key = "acme";
               r.message = "it left & paid";
               r.guard = "removed_percent";
             }),
     {info, made},
     {"GET /v1/info", "DELETE /v1/keys/acme?message=it%20left%20%26%20paid&override=removed_percent If-Match: \"2.7\""},
     0,
     "version 8: 3 keys; 1 added, 0 moved, 0 removed\n",
     ""},
    {"an endpoint takes no new requests",
     of_verb(ctl_verb::endpoints_drain,
             [](ctl_request& r) {
               r.placement = "tier 1";
               r.endpoint = "10.0.0.1:80";
               r.message = "a disk";
             }),
     {info, made},
     {"GET /v1/info",
      "PATCH /v1/placements/tier%201/endpoints/10.0.0.1%3A80?message=a%20disk If-Match: \"2.7\" (application/json) "
      "{\"drain\":true}"},
     0,
     "version 8: 3 keys; 1 added, 0 moved, 0 removed\n",
     ""},
    {"and takes them again",
     of_verb(ctl_verb::endpoints_undrain,
             [](ctl_request& r) {
               r.placement = "t";
               r.endpoint = "a";
               r.is_dry_run = true;
             }),
     {info, {409, R"({"detail":"no"})"}},
     {"GET /v1/info",
      "PATCH /v1/placements/t/endpoints/a?dry_run=true If-Match: \"2.7\" (application/json) {\"drain\":false}"},
     exit_refused,
     "",
     "refused (409): no\n"},
    {"trouble of the control plane's own is found in its log",
     of_verb(ctl_verb::history, [](ctl_request&) {}),
     {{503, R"({"detail":"the store is away","trace":"ab12"})"}},
     {"GET /v1/versions?limit=20"},
     exit_refused,
     "",
     "refused (503): the store is away\nin the control plane's log it is ab12\n"},
    {"the first change of all is for a control plane without any",
     of_verb(ctl_verb::rollback, [](ctl_request& r) { r.version = 1; }),
     {{200, R"({"version":0,"epoch":1})"}, {404, R"({"detail":"there is no such version"})"}},
     {"GET /v1/info", "POST /v1/versions/1:rollback If-None-Match: *"},
     exit_refused,
     "",
     "refused (404): there is no such version\n"},
    {"somebody else was faster",
     of_verb(ctl_verb::rollback, [](ctl_request& r) { r.version = 1; }),
     {info, {412, R"({"detail":"it is no longer what you looked at","rows":["acme"]})"}},
     {"GET /v1/info", "POST /v1/versions/1:rollback If-Match: \"2.7\""},
     exit_refused,
     "",
     "refused (412): it is no longer what you looked at\nchanged meanwhile: acme\n"},
    {"mistakes in what the tool wrote itself have no places",
     of_verb(ctl_verb::keys_set, [](ctl_request& r) { r.key = "k"; }),
     {info, {422, R"({"detail":"2 mistakes","errors":[{"path":"a.b","detail":"is wrong","line":3,"column":4}]})"}},
     {"GET /v1/info", "PUT /v1/keys/k If-Match: \"2.7\" (application/json) {\"placement\":\"\"}"},
     1,
     "",
     "refused (422): 2 mistakes\na.b: is wrong\n"},
    {"routers come in pages",
     of_verb(ctl_verb::routers, [](ctl_request&) {}),
     {{200,
       R"({"routers":[{"router_id":"r1","state":"in_sync","running":{"version":7},"on_target":true,"peer":"p"}],"next":"c31"})"},
      {200,
       R"({"routers":[{"router_id":null,"state":"in_sync","running":null,"on_target":false,"peer":"q","last_refusal":"no"},
           {"router_id":"r2","state":"away","away_since":"2026-11-26T16:00:00Z","on_target":false,"peer":""}]})"}},
     {"GET /v1/routers?limit=1000", "GET /v1/routers?limit=1000&cursor=c31"},
     0,
     "ROUTER  STATE                            VERSION  ON TARGET  PEER  LAST REFUSAL\n"
     "r1      in_sync                          7        yes        p\n"
     "(base)  in_sync                          -        no         q     no\n"
     "r2      away since 2026-11-26T16:00:00Z  -        -\n",
     ""},
    {"the last refusal is cut where the terminal ends, between characters; who is away is on no target",
     of_verb(ctl_verb::routers, [](ctl_request&) {}),
     {{200,
       R"({"routers":[{"router_id":"r1","state":"away","away_since":"2026-11-26T16:00:00Z","running":{"version":7},"on_target":true,"peer":"p","last_refusal":"0123456789012345é 0123456789"}]})"}},
     {"GET /v1/routers?limit=1000"},
     0,
     "ROUTER  STATE                            VERSION  ON TARGET  PEER  LAST REFUSAL\n"
     "r1      away since 2026-11-26T16:00:00Z  7        -          p     0123456789012345...\n",
     ""},
    {"there are more versions",
     of_verb(ctl_verb::history, [](ctl_request&) {}),
     {{200, R"({"versions":[],"next":"c31"})"}},
     {"GET /v1/versions?limit=20"},
     0,
     "nothing was published yet\nthere are more: --limit\n",
     ""},
    {"shares have at most two decimals, and a guard is lifted as this tool does it",
     of_verb(ctl_verb::keys_remove,
             [](ctl_request& r) {
               r.key = "k";
               r.is_dry_run = true;
             }),
     {info,
      {200,
       R"({"keys":{"total":9,"total_after":8,"added":0,"moved":0,"moved_pct":0,"removed":1,"removed_pct":11.11111111111111},"endpoints":{"added":["c/n"],"changed":["c/a","c/b"],"removed":[],"left_out":0},"routers":{"affected":2,"total":3},"guards":[{"name":"max_moved_percent","value":0,"limit":null,"ok":true},{"name":"max_removed_percent","value":11.11111111111111,"limit":5,"ok":false,"detail":"too many; to let it pass once, PUT /v1/config?override=max_removed_percent"},{"name":"min_keys","value":8,"limit":1,"ok":true}]})"}},
     {"GET /v1/info", "DELETE /v1/keys/k?dry_run=true If-Match: \"2.7\""},
     0,
     "nothing is changed; this would be:\nkeys        9 -> 8: 0 added, 0 moved (0 %), 1 removed (11.11 %)\n"
     "endpoints   c/n added\nendpoints   c/a c/b changed\nrouters     2 of 3 get something else\n"
     "GUARD                WOULD BE  LIMIT  OK\n"
     "max_removed_percent  11.11     5      no\n"
     "min_keys             8         1      yes\n"
     "guard       max_removed_percent: too many; to let it pass once, --override max_removed_percent\n",
     ""},
    {"so it is where a guard refuses",
     of_verb(ctl_verb::rollback, [](ctl_request& r) { r.version = 1; }),
     {info,
      {409,
       R"({"detail":"guard.x: no; to let it pass once, PUT /v1/config?override=x","errors":[{"path":"","detail":"PUT /v1/config?override=y"}]})"}},
     {"GET /v1/info", "POST /v1/versions/1:rollback If-Match: \"2.7\""},
     exit_refused,
     "",
     "refused (409): guard.x: no; to let it pass once, --override x\n--override y\n"},
    {"all pages are one list of JSON",
     of_verb(ctl_verb::routers, [](ctl_request& r) { r.as_json = true; }),
     {{200, R"({"routers":[{"router_id":"r1","labels":["a]"]},{"router_id":"r2"}],"next":"c31"})"},
      {200, R"({"routers":[{"router_id":"r3"}]})"}},
     {"GET /v1/routers?limit=10000", "GET /v1/routers?limit=10000&cursor=c31"},
     0,
     "{\"routers\":[{\"router_id\":\"r1\",\"labels\":[\"a]\"]},{\"router_id\":\"r2\"},{\"router_id\":\"r3\"}]}\n",
     ""},
    {"the followed file once more, and one guard does not count",
     of_verb(ctl_verb::retry, [](ctl_request& r) { r.guard = "min_keys"; }),
     {{202, R"({"accepted":true})"}},
     {"POST /v1/watch:retry?override=min_keys"},
     0,
     "the file is read again; `cellroute ctl status` says what came of it\n",
     ""},
    {"a router is offered it once more",
     of_verb(ctl_verb::resync, [](ctl_request& r) { r.router = "gw-1:9901"; }),
     {{202, R"({"accepted":true})"}},
     {"POST /v1/routers/gw-1%3A9901:resync"},
     0,
     "it is offered once more; `cellroute ctl routers` says what came of it\n",
     ""},
    {"JSON is what the API says",
     of_verb(ctl_verb::history, [](ctl_request& r) { r.as_json = true; }),
     {{200, R"({"versions":[]})"}},
     {"GET /v1/versions?limit=20"},
     0,
     "{\"versions\":[]}\n",
     ""},
    {"something else answers",
     of_verb(ctl_verb::history, [](ctl_request&) {}),
     {{200, "<html>"}},
     {"GET /v1/versions?limit=20"},
     exit_refused,
     "",
     "what answered (200) does not speak as a control plane does; is it --url?\n"},
    {"something else refuses",
     of_verb(ctl_verb::history, [](ctl_request&) {}),
     {{502, "<html>"}},
     {"GET /v1/versions?limit=20"},
     exit_refused,
     "",
     "what answered (502) does not speak as a control plane does; is it --url?\n"},
    {"something else has the same path",
     of_verb(ctl_verb::status, [](ctl_request&) {}),
     {{200, R"({"version":"1.2"})"}},
     {"GET /v1/info"},
     exit_refused,
     "",
     "what answered (200) does not speak as a control plane does; is it --url?\n"},
    {"nobody answers",
     of_verb(ctl_verb::status, [](ctl_request&) {}),
     {},
     {"GET /v1/info"},
     exit_no_answer,
     "",
     "nobody is there\n"},
    {"a key that no row has",
     of_verb(ctl_verb::where, [](ctl_request& r) { r.key = "k"; }),
     {{404, R"({"detail":"x","resolved":{"placement":"a","cell":"c","reason":"default"}})"},
      {200, R"({"history":[{"version":3,"at":"t","author":"me","from":"b","to":null}]})"}},
     {"GET /v1/keys/k", "GET /v1/keys/k/history?limit=20"},
     0,
     "k -> placement a, cell c (default)\nit has no row of its own\nVERSION  AT  BY  FROM  TO\n3        t   me  b     "
     "-\n",
     ""},
    {"a key that no request has",
     of_verb(ctl_verb::where, [](ctl_request& r) { r.key = "a,b"; }),
     {{404, R"({"detail":"x","resolved":{"unreachable":"the routing key is a list; one value is meant"}})"},
      {200, R"({"history":[]})"}},
     {"GET /v1/keys/a%2Cb", "GET /v1/keys/a%2Cb/history?limit=20"},
     0,
     "a,b -> no request reaches it: the routing key is a list; one value is meant\nit has no row of its own\n",
     ""},
    {"a key whose past the store keeps back",
     of_verb(ctl_verb::where, [](ctl_request& r) { r.key = "k"; }),
     {{200, R"({"key":"k","placement":"a","resolved":{"placement":"a","cell":"c","reason":"tier"}})"},
      {503, R"({"title":"store","detail":"it cannot be read"})"}},
     {"GET /v1/keys/k", "GET /v1/keys/k/history?limit=20"},
     0,
     "k -> placement a, cell c (tier)\n",
     "where it led before cannot be told: refused (503): it cannot be read\n"},
    {"a terminal is told nothing: where a key leads",
     of_verb(ctl_verb::where, [](ctl_request& r) { r.key = "k\x1b[31m"; }),
     {{200, R"({"resolved":{"placement":"a\u001b","cell":"c\n","reason":"tier"}})"},
      {200, R"({"history":[{"version":3,"at":"t","author":"m\u009be","from":"b\u0000","to":"\u007f"}]})"}},
     {"GET /v1/keys/k%1B%5B31m", "GET /v1/keys/k%1B%5B31m/history?limit=20"},
     0,
     "k?[31m -> placement a?, cell c? (tier)\nVERSION  AT  BY   FROM  TO\n3        t   m?e  b?    ?\n",
     ""},
    {"the keys",
     of_verb(ctl_verb::keys_list, [](ctl_request&) {}),
     {{200, R"({"keys":[{"key":"k\u001b[31m","placement":"é"}]})"}},
     {"GET /v1/keys?limit=20"},
     0,
     "KEY     PLACEMENT\nk?[31m  é\n",
     ""},
    {"the history",
     of_verb(ctl_verb::history, [](ctl_request&) {}),
     {{200,
       R"({"versions":[{"version":1,"at":"t","author":"b","keys":1,"added":2,"moved":3,"removed":4,"routers":5,"label":"l","message":"a\nb\u001b"}]})"}},
     {"GET /v1/versions?limit=20"},
     0,
     "VERSION  AT  BY  KEYS  ADDED  MOVED  REMOVED  ROUTERS  LABEL  MESSAGE\n"
     "1        t   b   1     2      3      4        5        l      a?b?\n",
     ""},
    {"how it is, and how long ago routers said so",
     of_verb(ctl_verb::status, [](ctl_request&) {}),
     {info,
      {200,
       R"({"connected":3,"on_target":2,"refused":1,"confirmed_age_seconds":{"routers":3,"never":1,"p50":0.504,"p90":2,"p99":61.25,"max":61.25}})"}},
     {"GET /v1/info", "GET /v1/fleet/drift"},
     0,
     "control plane  1 (cluster c)\npublished      version 7 of epoch 2, 1 key\nchanges come   by the API\n"
     "routers        3 connected, 2 on target, 1 refused it\n"
     "confirmed      0.5 s ago by half of them, 61.25 s by 99 %, 61.25 s at most; 1 never\n",
     ""},
    {"nobody has confirmed anything",
     of_verb(ctl_verb::status, [](ctl_request&) {}),
     {info,
      {200,
       R"({"connected":0,"on_target":0,"refused":0,"confirmed_age_seconds":{"routers":0,"never":0,"p50":null,"p90":null,"p99":null,"max":null}})"}},
     {"GET /v1/info", "GET /v1/fleet/drift"},
     0,
     "control plane  1 (cluster c)\npublished      version 7 of epoch 2, 1 key\nchanges come   by the API\n"
     "routers        0 connected, 0 on target, 0 refused it\n",
     ""},
    {"a refusal",
     of_verb(ctl_verb::history, [](ctl_request&) {}),
     {{400, R"({"detail":"not \u001b[2J"})"}},
     {"GET /v1/versions?limit=20"},
     exit_refused,
     "",
     "refused (400): not ?[2J\n"},
};

TEST_CASE("ctl: what each verb asks, tells, and ends with") {
  for (const ctl_case& row : ctl_cases) {
    CAPTURE(row.says);
    scripted_way way(row.replies);
    scripted_console console;
    const outcome done = control(row.asked, way, console);
    CHECK(console.printed.empty());
    CHECK(console.noted.empty());
    CHECK((way.asked == row.requests));
    CHECK(done.exit_code == row.exit_code);
    CHECK(done.output == row.output);
    CHECK(done.errors == row.errors);
  }
}

struct failure_case {
  std::string_view says;
  ctl_request asked;
  std::deque<api_reply> replies;
  bool is_cut;
  int exit_code;
  std::string_view output;
  std::string_view errors;
};

ctl_request json_of(ctl_verb verb, bool is_dry_run = false) {
  return of_verb(verb, [is_dry_run](ctl_request& r) {
    r.as_json = true;
    r.key = "k";
    r.placement = "a";
    r.is_dry_run = is_dry_run;
  });
}

const failure_case failure_cases[] = {
    {"a refusal is told as it came",
     json_of(ctl_verb::keys_set),
     {info, {412, R"({"type":"about:blank","status":412,"detail":"no","rows":["acme"]})"}},
     false,
     exit_refused,
     "{\"type\":\"about:blank\",\"status\":412,\"detail\":\"no\",\"rows\":[\"acme\"]}\n",
     "refused (412): no\nchanged meanwhile: acme\n"},
    {"so are mistakes",
     json_of(ctl_verb::keys_set),
     {info, {422, R"({"detail":"1 mistake","errors":[{"path":"","detail":"is wrong","line":3,"column":4}]})"}},
     false,
     1,
     R"({"detail":"1 mistake","errors":[{"path":"","detail":"is wrong","line":3,"column":4}]})"
     "\n",
     "refused (422): 1 mistake\nis wrong\n"},
    {"nobody answers",
     json_of(ctl_verb::status),
     {},
     false,
     exit_no_answer,
     R"({"type":"about:blank","title":"No answer","code":"no_answer","detail":"nobody is there"})"
     "\n",
     "nobody is there\n"},
    {"nor does anybody to who watches",
     json_of(ctl_verb::watch),
     {},
     true,
     exit_no_answer,
     R"({"type":"about:blank","title":"No answer","code":"no_answer","detail":"nobody is there"})"
     "\n",
     "nobody is there\n"},
    {"something else answers",
     json_of(ctl_verb::history),
     {{502, "<html>"}},
     false,
     exit_refused,
     R"({"type":"about:blank","title":"Refused","code":"refused","detail":"what answered (502) does not speak as a control plane does; is it --url?"})"
     "\n",
     "what answered (502) does not speak as a control plane does; is it --url?\n"},
    {"a change that was cut off may be done",
     json_of(ctl_verb::keys_set),
     {info},
     true,
     exit_no_answer,
     R"({"type":"about:blank","title":"No answer","code":"no_answer","detail":"nobody is there\u000ait may be done all the same: `cellroute ctl history` shows it then"})"
     "\n",
     "nobody is there\nit may be done all the same: `cellroute ctl history` shows it then\n"},
    {"one that never went is not",
     json_of(ctl_verb::keys_set),
     {info},
     false,
     exit_no_answer,
     R"({"type":"about:blank","title":"No answer","code":"no_answer","detail":"nobody is there"})"
     "\n",
     "nobody is there\n"},
    {"nor is one that was only tried",
     json_of(ctl_verb::keys_set, true),
     {info},
     true,
     exit_no_answer,
     R"({"type":"about:blank","title":"No answer","code":"no_answer","detail":"nobody is there"})"
     "\n",
     "nobody is there\n"},
};

TEST_CASE("ctl: with --json a failure is a problem document, and the words for people stay beside it") {
  for (const failure_case& row : failure_cases) {
    CAPTURE(row.says);
    scripted_way way(row.replies);
    way.is_cut = row.is_cut;
    scripted_console console;
    const outcome done = control(row.asked, way, console);
    CHECK(done.exit_code == row.exit_code);
    CHECK(done.output == row.output);
    CHECK(done.errors == row.errors);
  }
}

TEST_CASE("ctl: how far a long change is, is told to a person, and to nobody else") {
  struct progress_case {
    std::string_view says;
    bool is_terminal;
    bool as_json;
    bool is_told;
  };
  const progress_case cases[] = {
      {"a person", true, false, true}, {"a program", true, true, false}, {"a file", false, false, false}};
  for (const progress_case& row : cases) {
    CAPTURE(row.says);
    scripted_way way({info, made});
    scripted_console console(0, row.is_terminal);
    ctl_request asked;
    asked.verb = ctl_verb::keys_set;
    asked.as_json = row.as_json;
    CHECK(control(asked, way, console).exit_code == 0);
    CHECK((console.noted.find("sent 16 B of 16 B") != std::string::npos) == row.is_told);
    CHECK(console.noted.ends_with("\r\x1b[K") == row.is_told);  // nothing of it is left
  }
}

constexpr std::string_view first_events =
    ": watching\n\nid: 7\nevent: config.published\ndata: {\"version\":2,\"label\":\"\"}\n\n";
constexpr std::string_view later_events =
    "event: lost\ndata: {}\n\nid: 9\nevent: router.joined\ndata: "
    "{\"router\":\"r\\u001b1\",\"mistakes\":[\"a\",\"b\"]}\n\n";

struct watch_case {
  std::string_view says;
  bool as_json;
  std::deque<api_reply> replies;
  int pauses;  ///< it is ended in the one behind these
  std::vector<std::string> requests;
  int exit_code;
  std::string_view output;
  std::string_view errors;
  std::vector<duration> waits{};
};

const std::string events_of = "GET /v1/events Accept: text/event-stream";

const watch_case watch_cases[] = {
    {"what happens, and after a cut what happens then; what was missed is said",
     false,
     {{200, std::string(first_events)}, {200, std::string(later_events)}},
     1,
     {events_of, events_of + " Last-Event-ID: 7"},
     0,
     "config.published version=2\n"
     "lost: something happened that is not told here; `cellroute ctl status` says how it is now\n"
     "router.joined router=r?1 mistakes=a; b\n",
     "",
     {500ms, 500ms}},
    {"a line of JSON for each",
     true,
     {{200, std::string(first_events)}, {200, std::string(later_events)}, {200, "data: no JSON\n\n"}},
     2,
     {events_of, events_of + " Last-Event-ID: 7", events_of + " Last-Event-ID: 9"},
     0,
     "{\"id\":\"7\",\"event\":\"config.published\",\"data\":{\"version\":2,\"label\":\"\"}}\n"
     "{\"id\":\"7\",\"event\":\"lost\",\"data\":{}}\n"
     "{\"id\":\"9\",\"event\":\"router.joined\",\"data\":{\"router\":\"r\\u001b1\",\"mistakes\":[\"a\",\"b\"]}}\n"
     "{\"id\":\"9\",\"event\":\"message\",\"data\":\"no JSON\"}\n",
     "",
     {500ms, 500ms, 500ms}},
    {"who is busy or does not answer once he was there is asked ever more slowly",
     false,
     {{200, ": watching\n\n"},
      {503, ""},
      {429, ""},
      {503, ""},
      {503, ""},
      {503, ""},
      {503, ""},
      {200, ": watching\n\n"}},
     8,
     {events_of, events_of, events_of, events_of, events_of, events_of, events_of, events_of, events_of},
     0,
     "",
     "",
     {500ms, 1s, 2s, 4s, 8s, 15s, 15s, 500ms, 1s}},
    {"who was never there is not waited for", false, {}, 9, {events_of}, exit_no_answer, "", "nobody is there\n"},
    {"who has enough says so",
     false,
     {{429, R"({"detail":"there are too many watchers already"})"}},
     9,
     {events_of},
     exit_refused,
     "",
     "refused (429): there are too many watchers already\n"},
    {"a token that is over ends it",
     false,
     {{200, ": watching\n\n"}, {401, R"({"detail":"the token is over"})"}},
     9,
     {events_of, events_of},
     exit_refused,
     "",
     "refused (401): the token is over\n",
     {500ms}},
};

TEST_CASE("ctl watch: it tells what happens, goes on after a cut, and ends as it is told") {
  for (const watch_case& row : watch_cases) {
    CAPTURE(row.says);
    scripted_way way(row.replies);
    scripted_console console(row.pauses);
    ctl_request asked;
    asked.verb = ctl_verb::watch;
    asked.as_json = row.as_json;
    const outcome done = control(asked, way, console);
    CHECK((way.asked == row.requests));
    CHECK(done.exit_code == row.exit_code);
    CHECK(console.printed == row.output);
    CHECK(done.errors == row.errors);
    CHECK((console.waits == row.waits));
  }
  scripted_way way({{200, std::string(first_events)}, {200, std::string(later_events)}});
  scripted_console console(9);
  console.can_print = false;  // `| head` has gone
  ctl_request asked;
  asked.verb = ctl_verb::watch;
  CHECK(control(asked, way, console).exit_code == 1);
  CHECK(way.asked.size() == 1);
}

}  // namespace
}  // namespace cellroute::tool
