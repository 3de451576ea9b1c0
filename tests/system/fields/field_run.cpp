#include "tests/system/fields/field_run.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <set>

#include "adapters/wire/print.hpp"
#include "tests/system/support/programs.hpp"
#include "tests/system/support/websocket_double.hpp"

namespace cellroute::system_test {
namespace {

constexpr std::string_view base_text = R"(
process: {workers: 1, drain: {unready_for: 0s, timeout: 100ms}}
listeners: [{name: web, address: "127.0.0.1:$web"}]
admin: {address: "127.0.0.1:$admin"}
routing: {default_placement: tier3, keys: {inline: {acme: {placement: tier1}, celled: {placement: celled}}}}
cells:
  c1: {endpoints: [{url: "http://127.0.0.1:$one"}]}
  c2: {endpoints: [{url: "http://127.0.0.1:$two"}]}
placements:
  tier1: {endpoints: [{url: "http://127.0.0.1:$one"}]}
  tier3: {endpoints: [{url: "http://127.0.0.1:$two"}]}
  celled: {cell: c1}
)";

void replace_all(std::string& text, std::string_view what, std::uint16_t port) {
  const std::string digits = std::to_string(port);
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at)) {
    text.replace(at, what.size(), digits);
  }
}

wire::node* find_member(wire::node& map, std::string_view name) {
  const auto found = std::ranges::find(map.children, name, &wire::node::name);
  return found == map.children.end() ? nullptr : &*found;
}

/// The member of that name, made where there is none; `*` is the first one.
wire::node& member(wire::node& map, std::string_view name) {
  map.kind = wire::node_kind::map;
  if (name == "*") {
    REQUIRE_FALSE(map.children.empty());
    return map.children.front();
  }
  if (wire::node* const found = find_member(map, name)) return *found;
  wire::node& made = map.children.emplace_back();
  made.name = name;
  return made;
}

wire::node& first_item(wire::node& list) {
  list.kind = wire::node_kind::list;
  if (list.children.empty()) list.children.emplace_back().kind = wire::node_kind::map;
  return list.children.front();
}

constexpr std::array hosts{"127.0.0.1", "127.0.0.2"};

connection connect_to_host(const char* host, std::uint16_t port) {
  descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(port);
  ::inet_pton(AF_INET, host, &address.sin_addr);
  if (::connect(socket.get(), generic(address), sizeof address) != 0) socket.reset();
  return connection(std::move(socket));
}

}  // namespace

void obedient::operator()(cell_connection& c) const {
  message request;
  while (c.read_request(request)) {
    const std::string_view target = request.head.target();
    if (target == "/silent") continue;
    if (target == "/stops") {
      c.send("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n0123");
      (void)c.wait_end();
      return;
    }
    if (target == "/later") std::this_thread::sleep_for(200ms);
    if (target == "/late") std::this_thread::sleep_for(1s);
    if (!c.answer("200 OK", request.head.text, "X-Cell: " + name + "\r\n")) return;
  }
}

wire::node read_piece(std::string_view yaml) {
  auto tree = wire::read_yaml(yaml, "piece");
  if (!tree) FAIL(wire::to_string(tree.error().front()) << " in " << yaml);
  return *std::move(tree);
}

wire::node base_configuration() { return read_piece(base_text); }

void lay_over(wire::node& below, const wire::node& above) {
  if (below.kind != wire::node_kind::map || above.kind != wire::node_kind::map) {
    const std::string name = below.name;
    below = above;
    below.name = name;
    return;
  }
  for (const wire::node& one : above.children) {
    if (one.kind == wire::node_kind::null) {
      std::erase_if(below.children, [&one](const wire::node& n) { return n.name == one.name; });
    } else {
      lay_over(member(below, one.name), one);
    }
  }
}

void set_field(wire::node& tree, std::string_view path, const std::optional<wire::node>& value) {
  wire::node* at = &tree;
  for (;;) {
    const std::size_t end = std::min(path.find('.'), path.size());
    std::string_view step = path.substr(0, end);
    const bool is_last = end == path.size();
    path.remove_prefix(std::min(end + 1, path.size()));
    const bool is_item = step.ends_with("[]");
    if (is_item) step.remove_suffix(2);
    if (is_last && !value) {
      std::erase_if(at->children, [step](const wire::node& n) { return n.name == step; });
      return;
    }
    at = &member(*at, step);
    if (is_item) at = &first_item(*at);
    if (!is_last) continue;
    const std::string name = at->name;
    *at = *value;
    at->name = name;
    return;
  }
}

field_run::field_run(const wire::node& tree) : tree_(tree) {
  std::ofstream(folder_.file("keys.tsv")) << "filed\ttier1\n";
  std::ofstream thousand(folder_.file("thousand.tsv"));
  std::ofstream moved(folder_.file("moved.tsv"));
  for (int i = 0; i < 1000; ++i) {
    thousand << "k" << i << "\ttier1\n";
    moved << "k" << i << "\ttier3\n";
  }
  thousand.close();
  moved.close();
  // A port that was free may be taken by another program before the router has it.
  for (int attempt = 0; attempt < 3; ++attempt) {
    web_ = unused_port();
    admin_ = unused_port();
    start();
    if (eventually([&] { return process_->has_ended() || admin("GET /ready").status() == 200; }) &&
        !process_->has_ended()) {
      return;
    }
  }
  FAIL("the router did not start with\n" << text_ << process_->output());
}

field_run::~field_run() {
  for (int i = 0; i < 2 && !process_->has_ended(); ++i) {  // two that come together count as one; a third may kill
    process_->signal(SIGTERM);
    (void)process_->wait_exit(200ms);
  }
  const std::optional<int> code = process_->wait_exit();
  if (code != 0) FAIL_CHECK("the router ended with " << code.value_or(-999) << ":\n" << process_->output());
}

void field_run::start() {
  text_ = with_ports(wire::write_yaml(tree_));
  std::ofstream(folder_.file("cellroute.yaml")) << text_;
  process_.reset();
  process_.emplace(std::vector<std::string>{router_path(), "--config", folder_.file("cellroute.yaml")},
                   std::vector<std::string>{}, 0);
}

std::string field_run::with_ports(std::string text) const {
  replace_all(text, "$one", one_.port());
  replace_all(text, "$two", two_.port());
  replace_all(text, "$closed", closed_.port());
  replace_all(text, "$full", full_.port());
  replace_all(text, "$web", web_);
  replace_all(text, "$admin", admin_);
  return text;
}

message field_run::get(std::string_view target, std::string_view fields) const {
  return ask(web_, keyed("GET " + std::string(target), fields));
}

message field_run::get_as(std::string_view key) const {
  return ask(web_, request("GET /", "X-Routing-Key: " + std::string(key) + "\r\n"));
}

message field_run::admin(std::string_view method_and_target) const {
  const std::string bytes = request(method_and_target, "Connection: close\r\nContent-Length: 0\r\n");
  for (const char* const host : hosts) {
    connection one = connect_to_host(host, admin_);
    if (one.is_open() && one.send(bytes)) return one.read_message();
  }
  return {};
}

std::string field_run::host_that_listens(std::uint16_t port) {
  for (const char* const host : hosts) {
    if (connect_to_host(host, port).is_open()) return host;
  }
  return "nowhere";
}

std::string field_run::status_within_look(client& c) const {
  if (c.unread().empty() && !c.fill(look)) return c.how_it_ended() == ending::none ? "silence" : "ended";
  return std::to_string(c.read_answer().status());
}

std::string field_run::status_of(std::string_view request_bytes) const {
  client c(web_);
  c.send(request_bytes);
  return status_within_look(c);
}

std::string field_run::end_within_look(client& c) const { return c.wait_end(look) == ending::none ? "open" : "ended"; }

std::string field_run::cells_of(std::string_view key) const {
  std::set<std::string> names;
  for (int i = 0; i < 4; ++i) names.insert(get_as(key).head.value("X-Cell"));
  std::string joined;
  for (const std::string& name : names) joined += (joined.empty() ? "" : ", ") + name;
  return joined;
}

std::string field_run::connections_of_three_requests() const {
  for (int i = 0; i < 3; ++i) {
    if (get().status() != 200) return "an error";
  }
  return std::to_string(one_.accepted());
}

std::string field_run::access_field(std::string_view name, std::string_view key) {
  (void)ask(web_, request("GET /", "X-Request-Id: seen\r\nX-Routing-Key: " + std::string(key) + "\r\n"));
  return log_line(process_->wait_line(R"("request_id":"seen")").value_or("{}"))[name];
}

void field_run::edit(std::string_view yaml) {
  lay_over(tree_, read_piece(with_ports(std::string(yaml))));
  std::ofstream(folder_.file("cellroute.yaml")) << with_ports(wire::write_yaml(tree_));
}

std::string field_run::hello() const {
  websocket_double session(closed_.admit(patience));
  (void)session.answer("cellroute.v1");
  return session.read_text().value_or("nothing");
}

std::string field_run::push_a_dead_end(int version) const {
  websocket_double session(closed_.admit(patience));
  (void)session.answer();
  const closed_port nobody;
  session.send_text(R"({"type":"config_update","version":)" + std::to_string(version) +
                    R"(,"config":{"default_placement":"dead",)"
                    R"("customer_to_placement":{"acme":"dead"},"placement_to_endpoint":{"dead":"http://127.0.0.1:)" +
                    std::to_string(nobody.port()) + "\"}}}");
  return session.read_text().value_or("nothing");
}

std::string field_run::applied_within_look() const {
  const bool is_applied =
      eventually([&] { return sum_of(admin("GET /metrics").content, "gateway_config_generation") > 1; }, look);
  return is_applied ? "applied" : "not yet";
}

std::string field_run::reload() const {
  const std::string report = admin("POST /v1/reload").content;
  if (report.find("\"mistakes\"") != std::string::npos) return "refused";
  return report.find("\"applied\"") != std::string::npos ? "applied" : "unchanged";
}

}  // namespace cellroute::system_test
