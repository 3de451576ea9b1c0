#include "adapters/control/fleet_directory.hpp"

#include <algorithm>
#include <asio/post.hpp>
#include <future>
#include <utility>

#include "adapters/control/fleet_json.hpp"

namespace cellroute::control {
namespace {

constexpr duration answer_patience = 5s;
constexpr auto answer_look_period = std::chrono::milliseconds(50);
constexpr duration back_within = 2s;  // a router that is sent away

bool is_wanted(const router_view& r, const router_directory::filter& asked) {
  if (r.id <= asked.after && !asked.after.empty()) return false;
  if (!asked.state.empty() && r.state != asked.state) return false;
  const auto has = [&r](const wire::label& each) { return std::ranges::find(r.labels, each) != r.labels.end(); };
  if (!std::ranges::all_of(asked.labels, has)) return false;
  return !asked.version || (r.running && r.running->version == *asked.version);
}

}  // namespace

fleet fleet_directory::look() const {
  const published_content* const current = published_.current();
  return {server_, current != nullptr ? std::optional(current->id) : std::nullopt, reactor_.clock(), past_};
}

/// What it is asked with lives until it has answered, also where nobody waits for that any more.
template <class Answer, class Question>
Answer fleet_directory::ask(Question question) {
  std::promise<Answer> promise;
  std::future<Answer> answer = promise.get_future();
  asio::post(reactor_.context(), [promise = std::move(promise), question = std::move(question)]() mutable {
    promise.set_value(question());
  });
  for (duration waited{}; waited < answer_patience && !is_closed_; waited += answer_look_period) {
    if (answer.wait_for(answer_look_period) == std::future_status::ready) return answer.get();
  }
  return {};
}

router_directory::listing fleet_directory::routers(const filter& asked) {
  return ask<listing>([this, asked] {
    listing found;
    std::string last;
    for (const router_view& r : look().routers()) {
      if (!is_wanted(r, asked)) continue;
      if (found.routers.size() == asked.limit) {
        found.next = last;
        break;
      }
      write_router(found.routers.emplace_back(), r);
      last = r.id;
    }
    return found;
  });
}

std::optional<std::string> fleet_directory::router(std::string_view id) {
  return ask<std::optional<std::string>>([this, id = std::string(id)]() -> std::optional<std::string> {
    const auto found = look().router(id);
    if (!found) return std::nullopt;
    std::string text;
    write_router(text, *found);
    return text;
  });
}

std::string fleet_directory::drift() {
  return ask<std::string>([this] {
    std::string text;
    write_drift(text, look().drift());
    return text;
  });
}

std::optional<running_fleet> fleet_directory::running(std::size_t ids_max) {
  return ask<std::optional<running_fleet>>(
      [this, ids_max] { return std::optional(running_of(look().routers(), ids_max)); });
}

std::vector<std::string> fleet_directory::mistakes() {
  if (watched_ == nullptr) return {};
  return ask<std::vector<std::string>>([this] { return watched_->mistakes(); });
}

bool fleet_directory::retry_file(std::string_view lifted) {
  if (watched_ == nullptr) return false;
  return ask<bool>([this, guard = std::string(lifted)] {
    watched_->demand(guard);
    return true;
  });
}

bool fleet_directory::command(std::string_view id, std::string_view what) {
  return ask<bool>([this, id = std::string(id), is_goaway = what == "goaway"] {
    return is_goaway ? server_.dismiss(id, "an operator sent it away", back_within) : server_.resync(id);
  });
}

}  // namespace cellroute::control
