// The table inside a cpp-httplib server: it routes by a header and forwards with cpp-httplib's client. Two cells, the
// router and a client run in this one process, on ports that the system chooses.
#include <httplib.h>
#include <cellroute/cellroute.hpp>

#include <iostream>
#include <string>
#include <thread>

namespace {

/// A server on a port of its own, until the end of the scope.
class running {
 public:
  explicit running(httplib::Server& server)
      : server_(server), port_(server.bind_to_any_port("127.0.0.1")), thread_([this] { server_.listen_after_bind(); }) {
    while (!server_.is_running()) std::this_thread::yield();  // `stop` would not end what has not begun
  }
  running(const running&) = delete;
  running& operator=(const running&) = delete;
  ~running() {
    server_.stop();
    thread_.join();
  }
  [[nodiscard]] int port() const { return port_; }

 private:
  httplib::Server& server_;
  int port_;
  std::thread thread_;
};

void answer_as(httplib::Server& server, const std::string& name) {
  server.Get("/hello", [name](const httplib::Request& request, httplib::Response& response) {
    response.set_content("cell " + name + " saw " + request.get_header_value("X-Routing-Key"), "text/plain");
  });
}

cellroute::table_spec make_spec(int tier1_port, int visa_port) {
  using namespace cellroute;
  const auto at = [](int port) {
    return endpoint{.id = "a", .host = "127.0.0.1", .port = static_cast<std::uint16_t>(port)};
  };
  table_spec spec;
  spec.cells = {{cell_id("tier1"), {at(tier1_port)}}, {cell_id("visa"), {at(visa_port)}}};
  spec.placements = {{placement_id("tier1"), placement_kind::shared, cell_id("tier1"), {}},
                     {placement_id("visa"), placement_kind::dedicated, cell_id("visa"), {}}};
  spec.assignments = {{"visa", placement_id("visa")}};
  spec.default_placement = placement_id("tier1");
  return spec;
}

/// Decides, forwards, and tells the decision in the answer. `table` is const: every thread of the server may ask it.
void route(const cellroute::routing_table& table, const httplib::Request& request, httplib::Response& response) {
  const std::string key = request.get_header_value("X-Routing-Key");
  const auto made = table.route(key);
  if (request.get_header_value_count("X-Routing-Key") != 1 || key.empty() || !made) {
    response.status = 400;
    response.set_content("send one X-Routing-Key", "text/plain");
    return;
  }
  const cellroute::endpoint& to = table.cells()[made->cell].endpoints.front();
  httplib::Client client(to.host, to.port);
  const auto answer = client.Get(request.target, {{"X-Routing-Key", key}});
  response.set_header("X-Routed-To", std::string(routed_to(*made, table.fleet())));
  response.set_header("X-Route-Reason", std::string(route_reason(*made)));
  response.status = answer ? answer->status : 502;
  if (answer) response.set_content(answer->body, answer->get_header_value("Content-Type"));
}

}  // namespace

int main() {
  httplib::Server tier1;
  httplib::Server visa;
  answer_as(tier1, "tier1");
  answer_as(visa, "visa");
  const running tier1_runs(tier1);
  const running visa_runs(visa);

  const auto spec = make_spec(tier1_runs.port(), visa_runs.port());
  const auto table = cellroute::routing_table::compile(spec, cellroute::generation_number(1), 42);
  if (!table) return 1;

  httplib::Server router;
  router.Get(".*", [&table](const httplib::Request& request, httplib::Response& response) {
    route(*table, request, response);
  });
  const running router_runs(router);

  httplib::Client client("127.0.0.1", router_runs.port());
  for (const char* key : {"visa", "newcomer", ""}) {
    const auto answer = client.Get("/hello", {{"X-Routing-Key", key}});
    if (!answer) return 1;
    std::cout << answer->status << " [" << answer->get_header_value("X-Routed-To") << ' '
              << answer->get_header_value("X-Route-Reason") << "] " << answer->body << "\n";
  }
}
