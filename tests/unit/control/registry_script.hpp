#pragma once

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/control/registry.hpp"
#include "tests/unit/control/store_script.hpp"

/// A registry as its tests use it, with the configuration that most of them begin with.
namespace cellroute::control {

inline constexpr std::string_view first_config = R"({
  "version": "one",
  "routing": {"default_placement": "tier3", "keys": {"inline": {"acme": "tier1", "visa": "visa"}}},
  "placements": {
    "tier1": {"endpoints": [{"id": "a", "url": "http://127.0.0.1:9001"}, {"id": "b", "url": "http://127.0.0.1:9002"}]},
    "tier3": {"endpoints": [{"url": "http://127.0.0.1:9003"}]},
    "visa": {"kind": "dedicated", "endpoints": [{"url": "http://127.0.0.1:9004"}]}
  }
})";

template <class T>
T must(expected<T, problem> got) {
  std::string told;
  if (!got) {
    told = got.error().detail;
    for (const wire::diagnostic& each : got.error().mistakes) told += "\n" + wire::to_string(each);
  }
  REQUIRE_MESSAGE(got, told);
  return *std::move(got);
}

/// A configuration with so many keys that lead to `tier1`.
inline std::string config_of(int keys, std::string_view version = "many") {
  std::string lines;
  for (int i = 0; i < keys; ++i) lines += fmt::format("{}\"tenant-{:06}\":\"tier1\"", i == 0 ? "" : ",", i);
  return fmt::format(R"({{"version":"{}","routing":{{"default_placement":"tier3","keys":{{"inline":{{{}}}}}}},
    "placements":{{"tier1":{{"endpoints":[{{"url":"http://127.0.0.1:9001"}}]}},
    "tier2":{{"endpoints":[{{"url":"http://127.0.0.1:9002"}}]}},
    "tier3":{{"endpoints":[{{"url":"http://127.0.0.1:9003"}}]}}}}}})",
                     version, lines);
}

/// What a pusher is told.
class heard final : public publication_listener {
 public:
  void on_published(const active_content& now, const active_content& before) override {
    told.push_back(fmt::format("{}>{} {}", before.head.version, now.head.version, now.label));
    CHECK(now.content.sum == now.head.sum);
  }
  std::vector<std::string> told{};
};

inline std::unique_ptr<registry> open_registry(store from, const registry_settings& settings = {},
                                               publication_listener* listener = nullptr) {
  return must(registry::open(std::move(from), settings, listener));
}

inline whole_configuration whole(std::string_view text) {
  return must(read_whole(std::string(text), "request", test_seed, std::pmr::get_default_resource()));
}

inline version_record put(registry& to, std::string_view text, const publish_order& order = {}) {
  auto turn = to.begin();
  return must(turn.publish(must(turn.replace_all(whole(text))), order));
}

/// One row, or its end where the placement is empty.
inline expected<next_content, problem> change(registry::turn& turn, std::string_view key, std::string_view placement) {
  std::vector<std::string_view> names;
  if (!placement.empty()) names.push_back(placement);
  return turn.change_rows(
      changes_of(names, {{key, placement.empty() ? std::nullopt : std::optional<std::uint16_t>(0)}}));
}

inline rows current_rows(registry& of) {
  reader<active_content> now(of.current());
  return rows_in(now.current().value.content.keys);
}

}  // namespace cellroute::control
