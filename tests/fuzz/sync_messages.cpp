// What an end of a session may be sent: a text that is read as a message can be written and is read as the same again,
// and a chunk that is taken leads nowhere outside its frame. Then both machines take it, at any time.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>
#include <variant>

#include "adapters/sync/content.hpp"
#include "adapters/sync/push_session.hpp"
#include "adapters/sync/router_link.hpp"
#include "adapters/wire/chunk_frame.hpp"
#include "adapters/wire/sync_messages.hpp"

using namespace cellroute;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

/// A router that has an open session, takes lines as messages, and answers checks.
void feed_router(std::string_view lines) {
  const time_point now(1h);
  sync::intake_limits limits;
  limits.can.content_bytes_max = 1 << 20;
  limits.can.keys_max = 1'000;
  limits.can.repair = true;
  sync::router_link link({}, {"r", "b", "", {}, ""}, limits, {}, 1);
  link.tick(now);
  link.opened(true, now);
  link.take_text(
      "{\"type\":\"hello_ack\",\"session\":1,\"epoch\":1,\"proto\":1,\"chunk\":32768,\"window\":4,\"ping_ms\":2000,"
      "\"salt\":0}",
      now);
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(lines.size(), line.size() + 1));
    link.take_text(line, now);
    for (sync::link_action& action : link.take_actions()) {
      if (const auto* check = std::get_if<sync::check_content>(&action)) link.checked(check->what.content, 1);
      if (const auto* rows = std::get_if<sync::sum_up_rows>(&action)) {
        const std::size_t groups = rows->asked.groups.size();
        link.summed_up(*rows, std::vector<wire::digest>(groups == 0 ? 64 : 64 * groups));
      }
      if (const auto* run = std::get_if<sync::activate_content>(&action)) link.activated(run->content, true);
    }
    require(link.contents().held().size() <= 3);
  }
}

/// A control plane with one content, and a router that says these lines.
void feed_control(std::string_view lines) {
  const time_point now(1h);
  static const sync::content whole = sync::make_content("{}", key_table(), 0);
  sync::push_settings settings;
  settings.repair_keys_min = 0;
  sync::artifact_use::counted snapshot;
  snapshot.what.content.version = 1;
  snapshot.what.bytes.resize(100'000);
  sync::publication published;
  published.target = {0, 1, snapshot.what.content};
  published.snapshot = &snapshot;
  published.rows = &whole.digest;
  sync::push_session session(settings, 1, now);
  session.publish(published, now);
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(lines.size(), line.size() + 1));
    if (const auto said = wire::read_message(line)) session.take(*said, now);
    while (session.next_output()) {
    }
  }
  require(snapshot.users <= 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(static_cast<const char*>(static_cast<const void*>(data)), size);
  if (const auto read = wire::read_message(text); read && !std::holds_alternative<wire::unknown_message>(*read)) {
    const auto again = wire::read_message(wire::write_message(*read));
    require(again && *again == *read);
  }
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  if (const auto chunk = wire::read_chunk(bytes)) {
    require(chunk->payload.size() + wire::chunk_head_bytes == size && chunk->seq < chunk->total);
  }
  feed_router(text);
  feed_control(text);
  return 0;
}
