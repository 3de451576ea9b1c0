#pragma once

#include <string>
#include <utility>
#include <vector>

#include "adapters/proxy/access_sampling.hpp"
#include "adapters/proxy/head_edits.hpp"
#include "adapters/proxy/metric_labels.hpp"
#include "adapters/wire/settings.hpp"
#include "cellroute/match/routing_key.hpp"
#include "cellroute/table/routing_table.hpp"

namespace cellroute::proxy {

/// What forwarding needs to know of a listener.
struct listener_facts {
  std::string name;
  label_id label = 0;
  std::vector<wire::network_prefix> trusted_proxies;
};

/// The settings that shape requests and answers.
struct request_settings {
  wire::http_settings http;
  wire::decision_settings decision;
  wire::key_printing key_printing = wire::key_printing::plain;
  wire::sampling_settings sampling;
  bool logs_access = true;  ///< false: the log's output is off
  std::string key_header = "X-Routing-Key";
  std::vector<listener_facts> listeners;  ///< by their index
};

/// Everything of the configuration that a request sees. Published as one, so that no request sees two.
struct active_configuration {
  routing_table table;
  request_settings settings;
};

/// Those settings, and what follows from them once for all requests.
class request_rules {
 public:
  explicit request_rules(request_settings settings);
  request_rules(const request_rules&) = delete;
  request_rules& operator=(const request_rules&) = delete;

  const request_settings settings;
  const key_header key;               ///< views into `settings`
  const request_id_rule request_id;   ///< views into `settings`
  const std::string allowed_methods;  ///< the value of Allow
  const std::string key_missing_message;
  const access_sampling sampling;
};

}  // namespace cellroute::proxy
