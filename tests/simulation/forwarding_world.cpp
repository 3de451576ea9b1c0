#include "tests/simulation/forwarding_world.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "adapters/proxy/metrics_page.hpp"
#include "tests/support/compiled_table.hpp"

namespace cellroute::simulation {
namespace {

routing_table make_table(const world_settings& settings) {
  table_spec spec;
  spec.version = "v1";
  cell c1{cell_id("c1"), {}};
  for (const std::string& name : settings.endpoints) c1.endpoints.push_back({name, name + ".example", 80, 1});
  spec.cells = {c1, {cell_id("visa"), {{"v", "v.example", 80, 1}}}};
  placement tier1;
  tier1.id = placement_id("tier1");
  tier1.cell = cell_id("c1");
  tier1.policy = settings.policy;
  placement visa = tier1;
  visa.id = placement_id("visa");
  visa.kind = placement_kind::dedicated;
  visa.cell = cell_id("visa");
  spec.placements = {tier1, visa};
  spec.assignments = {{"acme", tier1.id}, {"visa", visa.id}};
  spec.default_placement = tier1.id;
  spec.on_unknown = settings.on_unknown;
  return support::compiled(spec, 7);
}

proxy::request_settings make_request_settings(const world_settings& settings, proxy::label_names& names) {
  proxy::request_settings made;
  made.http = settings.http;
  made.decision = settings.decision;
  std::vector<wire::network_prefix> trusted;
  if (settings.trusts_clients) trusted.push_back(*wire::parse_network_prefix("192.0.2.0/24"));
  made.listeners = {{"web", names.intern(proxy::label_kind::listener, "web"), trusted}};
  return made;
}

/// Families whose labels tell how requests and attempts ended.
constexpr std::array<std::string_view, 5> counted = {"gateway_requests_total{", "gateway_upstream_requests_total{",
                                                     "gateway_upstream_errors_total{", "gateway_retries_total{",
                                                     "gateway_active_requests{"};

/// Takes `name="value"` out of a line with the comma that belongs to it.
void drop_label(std::string& line, std::string_view name) {
  const std::size_t at = line.find(std::string(name) + "=\"");
  if (at == std::string::npos) return;
  std::size_t end = line.find('"', line.find('"', at) + 1) + 1;
  if (line[end] == ',') ++end;
  line.erase(at, end - at);
}

}  // namespace

std::string seconds_text(duration d) {
  std::array<char, 32> digits;
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), std::chrono::duration<double>(d).count());
  return std::string(digits.data(), end.ptr) + "s";
}

edge::upstream_handle fake_endpoint::take(edge::connection_need need) {
  fake_connection* taken = nullptr;
  for (const auto& c : connections_) {
    if (need != edge::connection_need::fresh && c->is_idle()) taken = c.get();  // last in, first out
  }
  if (taken == nullptr) {
    connections_.push_back(
        std::make_unique<fake_connection>(time_, out_, name_ + std::to_string(connections_.size() + 1)));
    taken = connections_.back().get();
    taken->connect_outcome = connect_outcome;
    taken->carries_pipes = carries_pipes;
  }
  taken->lend();
  return edge::upstream_handle(taken);
}

proxy::local_ref<proxy::endpoint_state> forwarding_world::maker::make(const cellroute::endpoint& e,
                                                                      const upstream_policy&) {
  const auto made = proxy::make_local<fake_endpoint>(owner_.time, owner_.out, e.id);
  owner_.endpoints_[e.id] = made;
  return made;
}

forwarding_world::forwarding_world(const world_settings& settings)
    : maker_(*this), configurations_({7, {make_table(settings), make_request_settings(settings, names_)}}) {
  forwarder_ = std::make_unique<proxy::forwarder>(time.clock, configurations_, maker_, names_, metrics_, log_, 1);
}

fake_client& forwarding_world::start(client_request request) {
  request.fields.emplace_back("X-Request-Id", request.name);
  clients_.push_back({std::make_unique<fake_client>(time, out, std::move(request)), nullptr});
  running& r = clients_.back();
  r.work = std::make_unique<session>(session::start(forwarder_->serve(*r.client)));
  return *r.client;
}

fake_client* forwarding_world::client(std::string_view name) {
  for (const running& r : clients_) {
    if (r.client->name() == name) return r.client.get();
  }
  return nullptr;
}

fake_endpoint* forwarding_world::endpoint(std::string_view name) {
  const auto found = endpoints_.find(name);
  return found == endpoints_.end() ? nullptr : &*found->second;
}

fake_connection* forwarding_world::connection(std::string_view name) {
  for (const auto& [id, e] : endpoints_) {
    for (const auto& c : e->connections()) {
      if (c->name() == name) return c.get();
    }
  }
  return nullptr;
}

std::vector<fake_endpoint*> forwarding_world::endpoints() {
  std::vector<fake_endpoint*> all;
  for (const auto& [id, e] : endpoints_) all.push_back(&*e);
  return all;
}

std::vector<fake_client*> forwarding_world::running_clients() {
  std::vector<fake_client*> found;
  for (const running& r : clients_) {
    if (!r.work->is_done()) found.push_back(r.client.get());
  }
  return found;
}

std::vector<fake_connection*> forwarding_world::lent_connections() {
  std::vector<fake_connection*> found;
  for (const auto& [id, e] : endpoints_) {
    for (const auto& c : e->connections()) {
      if (c->is_lent()) found.push_back(c.get());
    }
  }
  return found;
}

void forwarding_world::advance(duration by) {
  time.advance(by);
  read_log();
}

void forwarding_world::read_log() {
  while (const auto record = log_.front()) {
    const process::access_record& r = *record;
    const std::string name(r.request_id);
    ++log_records_[name];
    std::string line = name + " log: " + std::to_string(r.status_code);
    const auto fact = [&line](std::string_view label, std::string_view value) {
      if (!value.empty()) line += " " + std::string(label) + "=" + std::string(value);
    };
    fact("key", r.routing_key);
    fact("to", r.placement_key);
    fact("reason", r.route_reason);
    fact("cell", r.cell);
    fact("endpoint", r.endpoint);
    fact("attempts", std::to_string(r.attempts));
    fact("in", std::to_string(r.bytes_in));
    fact("out", std::to_string(r.bytes_out));
    fact("took", seconds_text(r.elapsed));
    if (r.upstream_elapsed) fact("upstream", seconds_text(*r.upstream_elapsed));
    if (r.ttfb) fact("ttfb", seconds_text(*r.ttfb));
    fact("error", r.proxy_error);
    out.say(line);
    log_.pop();
  }
}

std::vector<std::string> forwarding_world::counters() {
  const proxy::reactor_metrics* const reactors[] = {&metrics_};
  const std::string text = proxy::render_metrics(reactors, names_, {});
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    std::string line = text.substr(at, end - at);
    at = end + 1;
    if (std::ranges::none_of(counted, [&line](std::string_view family) { return line.starts_with(family); })) continue;
    if (line.ends_with(" 0")) continue;
    line.erase(0, std::string_view("gateway_").size());
    for (const std::string_view label : {"listener", "route", "placement", "cell"}) drop_label(line, label);
    lines.push_back(line);
  }
  return lines;
}

void forwarding_world::check_carried(const fake_client& c) {
  std::size_t attempts = 0;
  bool answered = false;
  bool found_answer = false;
  for (const carried_request& each : out.carried) {
    if (each.request != c.name()) continue;
    ++attempts;
    if (answered) out.blame(c.name() + ": sent again although an answer had begun");
    answered = each.answered;
    if (!c.sent_content().starts_with(each.content)) out.blame(c.name() + ": a cell got other content than was sent");
    found_answer = found_answer || each.answer_content == c.answer_content();
  }
  if (attempts > 2) out.blame(c.name() + ": more than one retry");
  if (c.has_whole_answer() && c.is_answered_by_cell() && !found_answer) {
    out.blame(c.name() + ": the answer's content is not the cell's");
  }
}

void forwarding_world::check_at_rest() {
  advance(0s);
  for (const running& r : clients_) {
    const fake_client& c = *r.client;
    const auto blame = [&](std::string_view what) { out.blame(c.name() + ": " + std::string(what)); };
    if (!r.work->is_done()) blame("runs on");
    if (!c.has_whole_answer() && !c.is_cut() && !c.is_left()) blame("has neither an answer nor an end");
    if (c.heads() > 1) blame("has several heads");
    const auto records = log_records_.find(c.name());
    const std::size_t count = records == log_records_.end() ? 0 : records->second;
    if (count != 1) blame("has " + std::to_string(count) + " log records");
    check_carried(c);
  }
  for (const fake_connection* c : lent_connections()) out.blame(c->name() + ": not released");
  if (active_count() != 0) out.blame("requests count as active that have ended");
  for (const std::string& line : counters()) {
    if (line.starts_with("active_requests")) out.blame("the gauge of active requests is not 0: " + line);
  }
}

}  // namespace cellroute::simulation
