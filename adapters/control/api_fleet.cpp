#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <mutex>
#include <utility>

#include "adapters/control/api_parts.hpp"
#include "adapters/io/clock.hpp"
#include "adapters/wire/sync_messages.hpp"

// Routers, what happens, and how the control plane is. What is known of routers comes from whoever has their sessions.
namespace cellroute::control {
namespace {

answer no_directory() {
  return problem_answer(503, "unavailable", "no router can be connected to this process: it has no listener for them");
}

constexpr std::string_view accepted = "{\"accepted\":true}";

/// Those who may repeat themselves, one at a time: whoever comes while the first is under way waits for its answer.
std::unique_lock<std::mutex> wait_for_commands(const call& c) {
  return c.once ? std::unique_lock(c.state.commands_lock) : std::unique_lock<std::mutex>();
}

answer command_router(call& c, std::string_view what) {
  router_directory* const routers = c.state.around.routers;
  if (routers == nullptr) return no_directory();
  const auto alone = wait_for_commands(c);
  if (auto again = replay(c)) return *std::move(again);
  if (!routers->command(c.param(0), what)) return problem_answer(404, "unknown", "no router of that id is here");
  registry::turn turn = c.state.of.begin();
  if (c.once) {
    const auto forgotten = forget_answers(c, turn.stored());
    if (!forgotten) return problem_answer(forgotten.error());
  }
  const kept_answer kept{c.once.value_or(idempotency_key{}), 202, std::string(accepted), {}};
  const auto done = turn.stored().append_audit(c.who.name, fmt::format("router.{}", what), "router " + c.param(0), {},
                                               c.now, c.once ? &kept : nullptr);
  if (!done) return problem_answer(done.error());
  return json_answer(202, std::string(accepted));
}

/// What the store has of the audit, for whoever watches. Outlived by the API.
class stored_lines final : public audit_source {
 public:
  explicit stored_lines(api_state& state) : state_(state) {}
  stored<std::vector<audit_record>> lines_behind(std::uint64_t sequence, std::size_t limit) override {
    auto reading = lent_reader::take(state_);
    if (!reading) return unexpected(reading.error());
    return (*reading)->audit({sequence, limit});
  }

 private:
  api_state& state_;
};

/// Ends when who watches may no more: his token was removed meanwhile, or is over.
class guarded_stream final : public body_source {
 public:
  guarded_stream(const call& c, std::unique_ptr<body_source> of) : state_(c.state), of_(std::move(of)) {
    asked_.headers = c.asked.headers;
    asked_.peer = c.asked.peer;
  }
  bool next(std::string& piece) override {
    if (!of_->next(piece)) return false;
    const std::lock_guard lock(state_.tokens_lock);
    return identify(asked_, state_.settings, state_.tokens, io::read_wall_clock()).has_value();
  }

 private:
  api_state& state_;
  request asked_;
  std::unique_ptr<body_source> of_;
};

}  // namespace

answer list_routers(call& c) {
  if (c.state.around.routers == nullptr) return no_directory();
  auto asked = paging_of(c);
  if (!asked) return std::move(asked).error();
  router_directory::filter wanted;
  if (c.target.find("version") != nullptr) {
    wanted.version = number_in(c, "version", 0, 1, std::uint64_t{1} << 53);
    if (!wanted.version) return bad_request("version must be the number of a version");
  }
  if (const std::string* const state = c.target.find("state")) {
    if (std::ranges::find(router_states, *state) == std::end(router_states))
      return bad_request(fmt::format("state must be one of {}", fmt::join(router_states, ", ")));
    wanted.state = *state;
  }
  for (const auto& [name, value] : c.target.query) {
    if (name.starts_with(label_query)) wanted.labels.emplace_back(name.substr(label_query.size()), value);
  }
  wanted.after = asked->cursor;
  wanted.limit = asked->limit;
  const router_directory::listing found = c.state.around.routers->routers(wanted);
  std::string body = "{\"routers\":[";
  for (std::size_t i = 0; i < found.routers.size(); ++i) body += (i > 0 ? "," : "") + found.routers[i];
  body += ']';
  if (!found.next.empty()) body += fmt::format(",\"next\":\"{}\"", cursor_of(found.next));
  return json_answer(200, body + "}");
}

answer get_router(call& c) {
  if (c.state.around.routers == nullptr) return no_directory();
  auto found = c.state.around.routers->router(c.param(0));
  if (!found) return problem_answer(404, "unknown", "no router of that id was ever here, or it is forgotten");
  return json_answer(200, *std::move(found));
}

answer resync_router(call& c) { return command_router(c, "resync"); }
answer dismiss_router(call& c) { return command_router(c, "goaway"); }

answer retry_file(call& c) {
  auto lifted = lifted_guards(c);
  if (!lifted) return std::move(lifted).error();
  if (!c.state.settings.is_following_file || c.state.around.routers == nullptr)
    return problem_answer(409, "not_following_file", "no file is followed here; changes come by this API");
  const auto alone = wait_for_commands(c);
  if (auto again = replay(c)) return *std::move(again);
  {
    registry::turn turn = c.state.of.begin();
    const std::string detail = lifted->empty() ? "" : fmt::format("{{\"override\":\"{}\"}}", *lifted);
    const auto noted = turn.stored().append_audit(c.who.name, "watch.retry", "config", detail, c.now);
    if (!noted) return problem_answer(noted.error());
  }
  if (!c.state.around.routers->retry_file(*lifted))
    return problem_answer(503, "unavailable", "the control plane stops, or could not answer in time");
  if (c.once) {
    registry::turn turn = c.state.of.begin();
    auto kept = forget_answers(c, turn.stored());
    if (kept) kept = turn.stored().keep_answer({*c.once, 202, std::string(accepted), {}}, c.now);
    if (!kept) return problem_answer(kept.error());
  }
  return json_answer(202, std::string(accepted));
}

answer get_drift(call& c) {
  if (c.state.around.routers == nullptr) return no_directory();
  return json_answer(200, c.state.around.routers->drift());
}

answer watch_events(call& c) {
  if (c.state.around.events == nullptr) return no_directory();
  std::optional<event_mark> last;
  if (const auto said = c.asked.header("Last-Event-ID")) {
    last = read_event_mark(*said);
    if (!last) return bad_request("Last-Event-ID must be the id of an event, or the number of a line of the audit");
  }
  answer made;
  made.stream = c.state.around.events->watch(last, std::make_unique<stored_lines>(c.state));
  if (made.stream == nullptr) {
    answer refused = problem_answer(429, "too_many", "there are too many watchers already");
    refused.headers.emplace_back("Retry-After", "5");
    return refused;
  }
  made.stream = std::make_unique<guarded_stream>(c, std::move(made.stream));
  made.headers.emplace_back("Content-Type", "text/event-stream");
  made.headers.emplace_back("Cache-Control", "no-store");
  return made;
}

answer get_info(call& c) {
  reader<active_content> now(c.state.of.current());
  const store_head& head = now.current().value.head;
  std::string body;
  process::json_writer out(body);
  out.begin_object()
      .field("build", c.state.settings.build)
      .field("cluster", c.state.cluster)
      .field("epoch", head.epoch);
  out.field("version", head.version).field("digest", wire::to_hex(head.sum)).field("keys", head.keys);
  out.field("label", now.current().value.label);
  out.field("follows_file", c.state.settings.is_following_file);
  std::vector<std::string> mistakes =
      c.state.around.routers != nullptr ? c.state.around.routers->mistakes() : std::vector<std::string>{};
  // They name keys and placements.
  if (c.who.is_bound() && !mistakes.empty())
    mistakes = {"the followed file is not what is published; a token that is not bound is told why"};
  out.field("mistakes", std::span<const std::string>(mistakes));
  out.name("protocols").begin_array().value("cellroute.v1").value("base").end_array();
  out.field("base_dialect", c.state.settings.base_dialect);
  out.name("limits").begin_object().field("routers", c.state.settings.routers_max).end_object();
  out.end_object();
  return json_answer(200, std::move(body));
}

answer get_contract(call&) {
  answer made;
  made.headers.emplace_back("Content-Type", "application/json");
  made.body = openapi_document();
  return made;
}

}  // namespace cellroute::control
