#include "adapters/tool/ctl_watch.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "adapters/tool/ctl_text.hpp"
#include "adapters/tool/event_reader.hpp"
#include "adapters/tool/verbs.hpp"
#include "adapters/wire/node.hpp"

namespace cellroute::tool {
namespace {

constexpr duration retry_first = 500ms;
constexpr duration retry_max = 15s;

/// A line of JSON for each event; its data as it came, where that is JSON on one line.
std::string json_line(const server_event& e) {
  const bool is_json = e.data.find('\n') == std::string::npos && wire::read_json(e.data, "event");
  return fmt::format("{{\"id\":{},\"event\":{},\"data\":{}}}\n", e.id.empty() ? "null" : wire::quote(e.id),
                     wire::quote(e.kind), is_json ? e.data : wire::quote(e.data));
}

std::string text_line(const server_event& e) {
  if (e.kind == "lost")
    return "lost: something happened that is not told here; `cellroute ctl status` says how it is now\n";
  std::string out = plain(e.kind);
  const auto data = wire::read_json(e.data, "event");
  if (!data) return out + " " + plain(e.data) + "\n";
  for (const wire::node& each : data->children) {
    if (each.name == "hash") continue;  // of a line of the audit: for programs
    std::string value = each.text;
    for (const wire::node& item : each.children) value += (value.empty() ? "" : "; ") + item.text;
    if (!value.empty()) out += fmt::format(" {}={}", plain(each.name), plain(value));
  }
  return out + "\n";
}

class watching final : private piece_listener {
 public:
  watching(const ctl_request& asked, api_transport& way, ctl_console& console)
      : asked_(asked), way_(way), console_(console) {}

  outcome run() {
    duration wait = retry_first;
    for (;;) {
      has_heard_ = false;
      const auto reply = way_.follow(question(), *this);
      events_.restart();
      if (!can_print_) return {exit_invalid, "", ""};
      if (console_.is_ending()) return {};
      if (has_heard_) {
        wait = retry_first;
        is_known_ = true;
        console_.note("cut off; it goes on where it was, as soon as there is an answer\n");
      }
      if (auto end = why_not_again(reply)) return *std::move(end);
      if (!console_.pause(wait)) return {};
      wait = std::min(wait * 2, retry_max);
    }
  }

 private:
  api_request question() const {
    api_request made{"GET", "/v1/events"};
    made.headers.emplace_back("Accept", "text/event-stream");
    if (!events_.last_id().empty()) made.headers.emplace_back("Last-Event-ID", events_.last_id());
    return made;
  }

  /// Who was never there is not waited for, and who says no means it, unless he is busy.
  std::optional<outcome> why_not_again(const expected<api_reply, no_reply>& reply) const {
    if (!reply) return is_known_ ? std::nullopt : std::optional(outcome{exit_no_answer, "", reply.error().why + "\n"});
    if (reply->status == 200) return std::nullopt;
    const bool is_busy = reply->status == 429 || reply->status >= 500;
    return is_busy && is_known_ ? std::nullopt : std::optional(refusal_of(*reply, ""));
  }

  bool on_piece(std::string_view bytes) override {
    has_heard_ = true;
    for (const server_event& e : events_.take(bytes))
      can_print_ = can_print_ && console_.print(asked_.as_json ? json_line(e) : text_line(e));
    return can_print_ && !console_.is_ending();
  }

  const ctl_request& asked_;
  api_transport& way_;
  ctl_console& console_;
  event_reader events_;
  bool has_heard_ = false;  // since it asked last
  bool is_known_ = false;   // it was connected once
  bool can_print_ = true;
};

}  // namespace

outcome watch(const ctl_request& asked, api_transport& way, ctl_console& console) {
  return watching(asked, way, console).run();
}

}  // namespace cellroute::tool
