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
  expected<api_reply, std::string> ask(const api_request& what) override {
    std::string line = what.method + " " + what.target;
    for (const auto& [name, value] : what.headers) line += " " + name + ": " + value;
    if (!what.body.empty()) line += " (" + what.type + ") " + what.body;
    asked.push_back(line);
    if (replies_.empty()) return unexpected(std::string("nobody is there"));
    api_reply next = std::move(replies_.front());
    replies_.pop_front();
    return next;
  }
  std::vector<std::string> asked;

 private:
  std::deque<api_reply> replies_;
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
    {"mistakes have places",
     of_verb(ctl_verb::keys_set, [](ctl_request& r) { r.key = "k"; }),
     {info, {422, R"({"detail":"2 mistakes","errors":[{"path":"a.b","detail":"is wrong","line":3,"column":4}]})"}},
     {"GET /v1/info", "PUT /v1/keys/k If-Match: \"2.7\" (application/json) {\"placement\":\"\"}"},
     1,
     "",
     "refused (422): 2 mistakes\nanswer:3:4: a.b: is wrong\n"},
    {"routers come in pages",
     of_verb(ctl_verb::routers, [](ctl_request&) {}),
     {{200,
       R"({"routers":[{"router_id":"r1","state":"in_sync","running":{"version":7},"on_target":true,"peer":"p"}],"next":"c31"})"},
      {200,
       R"({"routers":[{"router_id":null,"state":"in_sync","running":null,"on_target":false,"peer":"q","last_refusal":"no"}]})"}},
     {"GET /v1/routers?limit=1000", "GET /v1/routers?limit=1000&cursor=c31"},
     0,
     "ROUTER  STATE    VERSION  ON TARGET  PEER  LAST REFUSAL\n"
     "r1      in_sync  7        yes        p\n"
     "(base)  in_sync  -        no         q     no\n",
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
     "the answer is no JSON; is this a control plane?\n"},
    {"something else refuses",
     of_verb(ctl_verb::history, [](ctl_request&) {}),
     {{502, "<html>"}},
     {"GET /v1/versions?limit=20"},
     exit_refused,
     "",
     "refused (502): it answered 502\n"},
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
};

TEST_CASE("ctl: what each verb asks, tells, and ends with") {
  for (const ctl_case& row : ctl_cases) {
    CAPTURE(row.says);
    scripted_way way(row.replies);
    const outcome done = control(row.asked, way);
    CHECK((way.asked == row.requests));
    CHECK(done.exit_code == row.exit_code);
    CHECK(done.output == row.output);
    CHECK(done.errors == row.errors);
  }
}

}  // namespace
}  // namespace cellroute::tool
