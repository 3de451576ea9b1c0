#include "adapters/wire/base_messages.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace cellroute::wire {
namespace {

/// What a text is, in a few words.
std::string reading_of(std::string_view text) {
  const auto read = read_base_message(text);
  if (!read) return "error: " + to_string(read.error());
  struct words {
    std::string operator()(const base_content& m) const {
      return std::string(to_string(m.dialect)) + " " + kind_of(m.version) + to_string(m.version);
    }
    std::string operator()(const base_ack& m) const {
      return std::string(m.is_applied ? "applied " : "rejected ") + kind_of(m.version) + to_string(m.version) +
             (m.error.empty() ? "" : ": " + m.error);
    }
    std::string operator()(const base_ping&) const { return "ping"; }
    std::string operator()(const base_pong&) const { return "pong"; }
    std::string operator()(const unknown_message& m) const { return "unknown " + m.type; }
    static std::string kind_of(const base_version& v) { return v.index() == 0 ? "#" : "'"; }
  };
  return std::visit(words(), *read);
}

struct base_case {
  std::string_view says;
  std::string_view text;
  std::string_view expected;
};
const base_case base_cases[] = {
    {"a content of the draft", R"({"type":"config_update","version":42,"config":{"a":{"b":["}"]}}})",
     "config_update #42"},
    {"its version may stand behind", R"( { "config" : {} , "version" : "v-1" , "type" : "config_update" } )",
     "config_update 'v-1"},
    {"a content of the code", R"({"type":"config_snapshot","version":"1.4.0","routingTable":{"a\"}":"tier1"}})",
     "config_snapshot '1.4.0"},
    {"a version with an escape", R"({"type":"config_snapshot","version":"\u0031"})", "config_snapshot '1"},
    {"applied", R"({"type":"ack","version":42,"status":"applied"})", "applied #42"},
    {"applied, of a router that names no status", R"({"type":"ack","version":"1"})", "applied '1"},
    {"rejected", R"({"type":"ack","version":42,"status":"rejected","error":"no \"routing\""})",
     R"(rejected #42: no "routing")"},
    {"rejected, in the other dialect", R"({"type":"nack","version":"1","error":"x"})", "rejected '1: x"},
    {"an empty version: a router of the code sends it", R"({"type":"ack","version":""})", "applied '"},
    {"a beat", R"({"type":"ping"})", "ping"},
    {"a beat with more in it", R"({"type":"ping","at":[1,2]})", "ping"},
    {"its answer", R"({"type":"pong"})", "pong"},
    {"what later versions say", R"({"type":"gossip","version":{}})", "unknown gossip"},

    {"nothing", "", "error: is no object of JSON"},
    {"a list", "[]", "error: is no object of JSON"},
    {"an object without a type", "{}", "error: type: must be a text"},
    {"a type that is a number", R"({"type":7})", "error: type: must be a text"},
    {"two types: two readers could take two", R"({"type":"ping","type":"pong"})", "error: type: stands twice"},
    {"two versions", R"({"type":"ack","version":1,"version":2})", "error: version: stands twice"},
    {"no version", R"({"type":"config_update","config":{}})",
     "error: config_update.version: must be a whole number or a text"},
    {"a version that is an object", R"({"type":"ack","version":{}})",
     "error: ack.version: must be a whole number or a text"},
    {"a version with a fraction", R"({"type":"ack","version":1.5})",
     "error: ack.version: must be a whole number or a text"},
    {"no content", R"({"type":"config_update","version":1})", "error: config_update.config: is missing"},
    {"a status that is none", R"({"type":"ack","version":1,"status":"maybe"})",
     "error: ack.status: must be applied or rejected"},
    {"more behind the end", R"({"type":"ping"}{})", "error: is no object of JSON"},
    {"a comma too many", R"({"type":"ping",})", "error: is no object of JSON"},
    {"a comma too few", R"({"type":"ping" "at":1})", "error: is no object of JSON"},
    {"a member without a value", R"({"type":"ping","at":})", "error: is no object of JSON"},
    {"a text that never ends", R"({"type":"ping)", "error: is no object of JSON"},
    {"a value that never ends", R"({"type":"ping","at":[{)", "error: is no object of JSON"},
};

TEST_CASE("base messages: what a text is") {
  for (const base_case& row : base_cases) {
    CAPTURE(row.says);
    CHECK(reading_of(row.text) == row.expected);
  }
}

TEST_CASE("base messages: a text that is cut is none") {
  for (const base_case& row : base_cases) {
    if (row.expected.starts_with("error")) continue;
    const std::string_view whole = row.text.substr(0, row.text.find_last_of('}'));
    for (std::size_t size = 0; size <= whole.size(); ++size) {
      CAPTURE(whole.substr(0, size));
      CHECK(reading_of(std::string(whole.substr(0, size))) == "error: is no object of JSON");
    }
  }
}

TEST_CASE("base messages: the answer is in the dialect of the content, and says its version as it was said") {
  CHECK(write_base_ack(base_dialect::config_update, {std::uint64_t{42}}) ==
        R"({"type":"ack","version":42,"status":"applied"})");
  CHECK(write_base_ack(base_dialect::config_update, {std::string("4\"2"), false, "a \"b\""}) ==
        R"({"type":"ack","version":"4\"2","status":"rejected","error":"a \"b\""})");
  CHECK(write_base_ack(base_dialect::config_snapshot, {std::string("1.4.0")}) ==
        R"({"type":"ack","version":"1.4.0","status":"applied"})");
  CHECK(write_base_ack(base_dialect::config_snapshot, {std::uint64_t{7}, false, "bad"}) ==
        R"({"type":"nack","version":7,"error":"bad"})");
  CHECK(reading_of(write_base_ping()) == "ping");
  CHECK(reading_of(write_base_pong()) == "pong");
}

}  // namespace
}  // namespace cellroute::wire
