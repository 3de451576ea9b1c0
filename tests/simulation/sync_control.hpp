#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/sync/push_hub.hpp"
#include "tests/simulation/sync_content.hpp"
#include "tests/simulation/sync_network.hpp"

namespace cellroute::simulation {

inline constexpr duration beat = 2s;

/// The control plane of a world: a store that outlives it, and sessions that do not.
///
/// What must hold of the store is checked at each start: what was acknowledged is there, and what the history of
/// changes comes to has the digest that was given out for it.
class sync_control {
 public:
  sync_control(sync_network& network, bool repairs);

  void start();
  /// As by `kill -9`: what is in memory is gone.
  void stop();
  [[nodiscard]] bool is_up() const { return is_up_; }

  /// What a publish came to.
  enum class publish_outcome : std::uint8_t { acknowledged, failed, crashed };
  /// Range: it is up. Where it crashes, the caller knows nothing of what became of it.
  publish_outcome publish(small_content content);
  /// The newest content in the store. Range: there is one.
  [[nodiscard]] const wire::content_id& head() const { return disk_.back().id; }
  /// All that is in the store, the oldest first. Range: it is up.
  [[nodiscard]] const std::vector<std::pair<wire::content_id, small_content>>& history() const { return history_; }
  /// Publishes that were acknowledged.
  [[nodiscard]] std::size_t acknowledged() const { return acknowledged_.size(); }

  void open(route& of);
  void close(route& of);
  void take(route& of, std::string_view said);
  void tick();

  /// Bytes of contents that went to routers.
  [[nodiscard]] std::uint64_t content_bytes() const { return content_bytes_; }
  /// Transfers that were begun, by their kind.
  [[nodiscard]] const std::map<wire::transfer_kind, int>& transfers() const { return transfers_; }
  /// Whether the content may run somewhere: it is in the store.
  [[nodiscard]] bool has(const wire::digest& sum) const;

 private:
  /// A version as the store has it: its rows, or how they come from those of the version before.
  struct record {
    wire::content_id id{};
    bool is_whole = false;
    std::string rows{};
  };

  void commit(const wire::content_id& id, const small_content& content);
  void read_store();
  void announce();
  void make_repairs();
  void flush();
  void flush_session(route& of);
  void note_begin(const route& of, const wire::config_begin& said);
  [[nodiscard]] sync::artifact_use::counted* keep(sync::artifact_use::counted made);

  sync_network& network_;
  bool repairs_;
  bool is_up_ = true;
  // On the disk:
  std::vector<record> disk_;
  // In memory:
  std::vector<std::pair<wire::content_id, small_content>> history_;
  std::deque<sync::artifact_use::counted> artifacts_;  // before the hub, whose sessions use them
  std::vector<std::unique_ptr<key_digest>> rows_;      // as these; of the newest content the last
  sync::publication said_;
  std::unique_ptr<sync::push_hub> hub_;
  std::map<std::uint64_t, route*> routes_;  // by session
  // What an observer knows:
  std::map<std::uint64_t, wire::digest> acknowledged_;              // by version
  std::map<std::size_t, std::set<wire::digest>> refused_for_good_;  // by router
  std::uint64_t content_bytes_ = 0;
  std::map<wire::transfer_kind, int> transfers_;
};

}  // namespace cellroute::simulation
