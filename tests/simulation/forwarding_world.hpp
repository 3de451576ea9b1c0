#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/process/access_ring.hpp"
#include "adapters/proxy/forwarder.hpp"
#include "adapters/proxy/route_view.hpp"
#include "cellroute/model/table_spec.hpp"
#include "cellroute/snapshot/published.hpp"
#include "tests/simulation/fake_peer.hpp"
#include "tests/simulation/manual_time.hpp"

namespace cellroute::simulation {

/// An endpoint whose connections are objects: the first is `a1`, the next one `a2`.
class fake_endpoint final : public proxy::endpoint_state, public edge::upstream_source {
 public:
  fake_endpoint(manual_time& time, transcript& out, std::string name)
      : time_(time), out_(out), name_(std::move(name)) {}

  edge::upstream_source* source() override { return has_address ? this : nullptr; }
  edge::upstream_handle take(edge::connection_need need) override;

  /// What a new connection finds; unset lets it wait.
  std::optional<edge::stream_fault> connect_outcome = edge::stream_fault::none;
  bool has_address = true;
  bool carries_pipes = false;

  [[nodiscard]] const std::vector<std::unique_ptr<fake_connection>>& connections() const { return connections_; }

 private:
  manual_time& time_;
  transcript& out_;
  std::string name_;
  std::vector<std::unique_ptr<fake_connection>> connections_;
};

/// What a world is made with.
struct world_settings {
  std::vector<std::string> endpoints = {"a", "b"};  ///< of the cell `c1`, where the placement `tier1` leads
  upstream_policy policy;
  unknown_key_policy on_unknown = unknown_key_policy::use_default;
  wire::http_settings http;
  wire::decision_settings decision;
  bool trusts_clients = false;  ///< 192.0.2.0/24 are trusted proxies
};

/// One reactor's forwarding between clients and cells that are objects, under a clock set by hand.
class forwarding_world {
 public:
  explicit forwarding_world(const world_settings& settings);
  forwarding_world(const forwarding_world&) = delete;
  forwarding_world& operator=(const forwarding_world&) = delete;

  manual_time time;
  transcript out;

  fake_client& start(client_request request);
  /// Null where nobody has that name.
  [[nodiscard]] fake_client* client(std::string_view name);
  [[nodiscard]] fake_connection* connection(std::string_view name);
  [[nodiscard]] fake_endpoint* endpoint(std::string_view name);
  [[nodiscard]] std::vector<fake_client*> running_clients();
  [[nodiscard]] std::vector<fake_connection*> lent_connections();
  [[nodiscard]] std::vector<fake_endpoint*> endpoints();

  /// Lets time pass, then writes down the log records of the exchanges that have ended.
  void advance(duration by);
  /// The counters that are not 0, as `family{labels} value`, without labels that say the same everywhere.
  [[nodiscard]] std::vector<std::string> counters();
  /// How many log records there were for each request id.
  [[nodiscard]] const std::map<std::string, std::size_t, std::less<>>& log_records() const { return log_records_; }
  [[nodiscard]] std::size_t active_count() const { return forwarder_->active_count(); }

  /// Writes into `out.violations` what must hold once nothing runs any more.
  void check_at_rest();

 private:
  class maker final : public proxy::endpoint_maker {
   public:
    explicit maker(forwarding_world& owner) : owner_(owner) {}
    proxy::local_ref<proxy::endpoint_state> make(const cellroute::endpoint& e, const upstream_policy&) override;

   private:
    forwarding_world& owner_;
  };
  struct running {
    std::unique_ptr<fake_client> client;
    std::unique_ptr<session> work;
  };
  void read_log();
  void check_carried(const fake_client& c);

  std::map<std::string, proxy::local_ref<fake_endpoint>, std::less<>> endpoints_;
  maker maker_;
  proxy::label_names names_;
  published<proxy::active_configuration> configurations_;
  proxy::reactor_metrics metrics_;
  process::access_ring log_;
  std::unique_ptr<proxy::forwarder> forwarder_;
  std::deque<running> clients_;
  std::map<std::string, std::size_t, std::less<>> log_records_;
};

/// `29.999s`, `0s`.
[[nodiscard]] std::string seconds_text(duration d);

}  // namespace cellroute::simulation
