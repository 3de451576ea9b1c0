// Runs tests/simulation/forwarding/*.txt: what clients and cells do, and what forwarding makes of it.
//
//   case NAME                      a new world; settings may follow, then a blank line
//   endpoints a                    the endpoints of cell c1; a and b unless written
//   policy total=60s body_max=10   see `set_policy`
//   r1 GET / key=acme              a request; see `read_request`
//   r1 sends "x" [end] | breaks | leaves | stops reading | reads on
//   a refuses | hangs | accepts | has no descriptor | has no address      for connections to come
//   a1 accepts | refuses           a connection that waits; the first of endpoint a is a1
//   a1 answers 200 ["x"] [more] [close] [broken]     `more`: the content has not ended
//   a1 sends "x" [end] | starts an answer | breaks | resets | stops reading | reads on | refuses content
//   advance 30s | counters
// A word `Name:value` is a field of the head, `+Name:value` one behind the content.
//
// Behind `----` stands what was seen; CELLROUTE_REWRITE=1 writes it anew.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tests/simulation/forwarding_world.hpp"

namespace cellroute::simulation {
namespace {

using words = std::vector<std::string>;

/// Words of a line; a text in quotes is one word, with its opening quote kept to tell it from a bare one.
words split(const std::string& line) {
  words found;
  for (std::size_t at = 0; at < line.size();) {
    if (line[at] == ' ') {
      ++at;
      continue;
    }
    const bool quote = line[at] == '"';
    const std::size_t end = std::min(line.find(quote ? '"' : ' ', at + 1), line.size());
    found.push_back(line.substr(at, end - at));
    at = end + (quote ? 1 : 0);
  }
  return found;
}

bool has(const words& line, std::string_view word) { return std::ranges::find(line, word) != line.end(); }

/// The text in quotes, if there is one.
std::string text_in(const words& line) {
  const auto found = std::ranges::find_if(line, [](const std::string& w) { return w.starts_with('"'); });
  return found == line.end() ? "" : found->substr(1);
}

duration duration_of(std::string_view text) {
  const bool ms = text.ends_with("ms");
  const double number = std::strtod(std::string(text).c_str(), nullptr);
  return std::chrono::duration_cast<duration>(std::chrono::duration<double>(ms ? number / 1000 : number) + 100ns) /
         1000 * 1000;
}

class script {
 public:
  explicit script(transcript& failures) : failures_(failures) {}

  /// Settings come before anything happens.
  bool is_setting(const words& line) const { return line[0] == "endpoints" || line[0] == "policy" || line[0] == "set"; }

  void run(const std::string& text) {
    const words line = split(text);
    if (is_setting(line)) {
      set(line);
      return;
    }
    forwarding_world& w = world();
    if (line[0] == "advance") {
      w.advance(duration_of(line[1]));
    } else if (line[0] == "counters") {
      for (std::string& each : w.counters()) w.out.say(std::move(each));
    } else if (fake_client* const client = w.client(line[0])) {
      run_client(*client, line);
    } else if (fake_connection* const connection = w.connection(line[0])) {
      run_connection(*connection, line);
    } else if (fake_endpoint* const endpoint = w.endpoint(line[0])) {
      run_endpoint(*endpoint, line);
    } else if (line[0].starts_with('r') && line.size() > 2) {
      w.start(read_request(line));
    } else {
      failures_.blame("nobody knows: " + text);
    }
    w.advance(0s);
  }

  /// What has been seen since the last call.
  std::vector<std::string> seen() { return world_ ? std::exchange(world_->out.lines, {}) : std::vector<std::string>{}; }

  void end_case(const std::string& name) {
    if (world_) {
      world_->check_at_rest();
      for (const std::string& what : world_->out.violations) failures_.blame(name + ": " + what);
    }
    world_.reset();
    settings_ = {};
    shows_fields_ = false;
  }

 private:
  forwarding_world& world() {
    if (!world_) {
      world_ = std::make_unique<forwarding_world>(settings_);
      world_->out.shows_fields = shows_fields_;
    }
    return *world_;
  }

  void set(const words& line) {
    if (line[0] == "endpoints") settings_.endpoints.assign(line.begin() + 1, line.end());
    if (line[0] == "policy") set_policy(line);
    if (has(line, "methods")) settings_.http.methods = {"GET", "HEAD"};
    if (has(line, "reject-unknown")) settings_.on_unknown = unknown_key_policy::reject;
    if (has(line, "trusted")) settings_.trusts_clients = true;
    if (has(line, "route-decision")) settings_.decision.route_decision = true;
    if (has(line, "fields")) shows_fields_ = true;
    if (has(line, "no-decision-log")) settings_.decision.log = false;
    for (const auto& [word, value] : {std::pair("headers=errors", wire::decision_headers::errors),
                                      std::pair("headers=debug", wire::decision_headers::debug),
                                      std::pair("headers=never", wire::decision_headers::never)}) {
      if (has(line, word)) settings_.decision.headers = value;
    }
  }

  void set_policy(const words& line) {
    upstream_policy& p = settings_.policy;
    for (const std::string& word : line) {
      const std::size_t equals = word.find('=');
      if (equals == std::string::npos) continue;
      const std::string name = word.substr(0, equals);
      const std::string value = word.substr(equals + 1);
      const std::optional<duration> limit = value == "off" ? std::nullopt : std::optional(duration_of(value));
      if (name == "connect") p.timeouts.connect = limit;
      if (name == "response_header") p.timeouts.response_header = limit;
      if (name == "stream_idle") p.timeouts.stream_idle = limit;
      if (name == "total") p.timeouts.total = limit;
      if (name == "retries") p.retries.attempts = value == "0" ? 0 : 1;
      if (name == "body_max") p.request_body_max = std::stoull(value);
      if (name == "host") p.host = value == "upstream" ? host_policy::upstream : host_policy::preserve;
    }
  }

  /// `r1 METHOD TARGET [key=K] [length=N|chunked] ["content"] [more] [broken] [expects] [upgrade=P] [Name:Value]
  /// [refused=N]`; without length or chunked there is no content.
  static client_request read_request(const words& line) {
    client_request r;
    r.name = line[0];
    r.method = line[1];
    r.target = line[2];
    r.content = text_in(line);
    r.content_ends = !has(line, "more");
    r.content_breaks = has(line, "broken");
    r.expects_continue = has(line, "expects");
    for (std::size_t i = 3; i < line.size(); ++i) {
      const std::string& word = line[i];
      const std::size_t equals = word.find_first_of("=:");
      const std::string name = word.substr(0, equals);
      const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
      if (word.starts_with('"')) continue;
      if (word.starts_with("+")) {
        r.trailers.emplace_back(name.substr(1), value);
      } else if (equals != std::string::npos && word[equals] == ':') {
        r.fields.emplace_back(name, value);
      } else if (name == "key") {
        r.fields.emplace_back("X-Routing-Key", value);
      } else if (name == "length") {
        r.body = {true, std::stoull(value)};
      } else if (name == "upgrade") {
        r.upgrade = value;
      } else if (name == "refused") {
        r.refused_status = static_cast<std::uint16_t>(std::stoi(value));
      }
    }
    if (has(line, "chunked")) r.body = {true, std::nullopt};
    return r;
  }

  void run_client(fake_client& client, const words& line) {
    if (has(line, "sends")) {
      client.sends(text_in(line), has(line, "end"));
    } else if (has(line, "breaks")) {
      client.breaks_content();
    } else if (has(line, "leaves")) {
      client.leaves();
    } else if (has(line, "stops")) {
      client.stops_reading();
    } else if (has(line, "reads")) {
      client.reads_on();
    } else {
      failures_.blame("a client does not do that: " + line[1]);
    }
  }

  static cell_answer read_answer(const words& line) {
    cell_answer a;
    a.status = static_cast<std::uint16_t>(std::stoi(line[2]));
    a.content = text_in(line);
    a.content_ends = !has(line, "more");
    a.breaks = has(line, "broken");
    a.closes = has(line, "close");
    for (std::size_t i = 3; i < line.size(); ++i) {
      const std::size_t colon = line[i].find(':');
      if (line[i].starts_with('"') || colon == std::string::npos) continue;
      const bool trailer = line[i].starts_with('+');
      (trailer ? a.trailers : a.fields)
          .emplace_back(line[i].substr(trailer ? 1 : 0, colon - (trailer ? 1 : 0)), line[i].substr(colon + 1));
    }
    return a;
  }

  void run_connection(fake_connection& c, const words& line) {
    if (has(line, "accepts")) {
      c.accepts();
    } else if (has(line, "answers")) {
      c.answers(read_answer(line));
    } else if (has(line, "sends")) {
      c.sends(text_in(line), has(line, "end"));
    } else if (has(line, "starts")) {
      c.starts_answer();
    } else if (has(line, "breaks")) {
      c.breaks();
    } else if (has(line, "resets")) {
      c.resets();
    } else if (has(line, "stops")) {
      c.stops_reading();
    } else if (has(line, "reads")) {
      c.reads_on();
    } else if (has(line, "refuses") && has(line, "content")) {
      c.refuses_content();
    } else if (has(line, "refuses")) {
      c.refuses();
    } else {
      failures_.blame("a cell does not do that: " + line[1]);
    }
  }

  void run_endpoint(fake_endpoint& e, const words& line) {
    if (has(line, "accepts")) {
      e.connect_outcome = edge::stream_fault::none;
    } else if (has(line, "refuses")) {
      e.connect_outcome = edge::stream_fault::closed;
    } else if (has(line, "hangs")) {
      e.connect_outcome.reset();
    } else if (has(line, "descriptor")) {
      e.connect_outcome = edge::stream_fault::no_descriptor;
    } else if (has(line, "address")) {
      e.has_address = false;
    } else {
      failures_.blame("an endpoint does not do that: " + line[1]);
    }
  }

  transcript& failures_;
  world_settings settings_;
  bool shows_fields_ = false;
  std::unique_ptr<forwarding_world> world_;
};

/// Runs one file and returns it with what was seen in the place of what was expected.
std::string run_file(const std::string& text, transcript& failures) {
  script s(failures);
  std::string written;
  std::string name;
  std::istringstream lines(text);
  bool expects = false;  // between `----` and the blank line
  for (std::string line; std::getline(lines, line);) {
    if (expects && !line.empty()) continue;
    if (expects && line.empty()) expects = false;
    if (line.starts_with("case ")) {
      s.end_case(name);
      name = line.substr(5);
    } else if (line == "----") {
      expects = true;
      written += "----\n";
      for (const std::string& each : s.seen()) written += each + "\n";
      continue;
    } else if (!line.empty() && !line.starts_with('#')) {
      s.run(line);
    }
    written += line + "\n";
  }
  s.end_case(name);
  return written;
}

std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// The first line in which two texts differ, for the reader of a failure.
std::string first_difference(const std::string& expected, const std::string& seen) {
  std::istringstream left(expected);
  std::istringstream right(seen);
  std::string last_case;
  std::string a;
  std::string b;
  for (int number = 1;; ++number) {
    const bool more = static_cast<bool>(std::getline(left, a));
    const bool more_seen = static_cast<bool>(std::getline(right, b));
    if (!more && !more_seen) return {};
    if (a.starts_with("case ")) last_case = a;
    if (more != more_seen || a != b) {
      return "line " + std::to_string(number) + ", " + last_case + "\n  expected: " + (more ? a : "(nothing)") +
             "\n  seen:     " + (more_seen ? b : "(nothing)");
    }
  }
}

TEST_CASE("forwarding: scripts tell what happens between clients and cells, over time") {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(CELLROUTE_SOURCE_DIR "/tests/simulation/forwarding")) {
    if (entry.path().extension() != ".txt") continue;
    ++files;
    const std::string text = read_text(entry.path());
    transcript failures;
    const std::string seen = run_file(text, failures);
    CAPTURE(entry.path().filename().string());
    for (const std::string& what : failures.violations) FAIL_CHECK(what);
    if (std::getenv("CELLROUTE_REWRITE") != nullptr) {
      std::ofstream(entry.path()) << seen;
    } else if (seen != text) {
      FAIL_CHECK(first_difference(text, seen));
    }
  }
  CHECK(files >= 6);
}

}  // namespace
}  // namespace cellroute::simulation
