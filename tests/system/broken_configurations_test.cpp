// Dozens of configurations with a mistake, one after the other, while requests run.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <string_view>
#include <thread>

#include "adapters/wire/node.hpp"
#include "tests/support/broken_configurations.hpp"
#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {
namespace {

/// Asks for the same key, one request after the other, until the end.
class steady_client {
 public:
  explicit steady_client(std::uint16_t port) : thread_([this, port] { ask_on(port); }) {}
  steady_client(const steady_client&) = delete;
  steady_client& operator=(const steady_client&) = delete;
  ~steady_client() {
    stops_ = true;
    thread_.join();
  }
  [[nodiscard]] int served() const { return served_; }
  [[nodiscard]] int failed() const { return failed_; }

 private:
  void ask_on(std::uint16_t port) {
    client c(port);
    while (!stops_) {
      const message answer = c.ask(keyed("GET /"));
      const bool is_right = answer.status() == 200 && answer.complete && answer.content == "one";
      ++(is_right ? served_ : failed_);
      if (!is_right) c = client(port);
      std::this_thread::sleep_for(1ms);
    }
  }

  std::atomic<bool> stops_{false};
  std::atomic<int> served_{0};
  std::atomic<int> failed_{0};
  std::thread thread_;
};

/// Whether one text of a list under this name tells of the mistake.
bool tells(const std::string& json, std::string_view list, const support::broken_configuration& broken) {
  const auto tree = wire::read_json(json, "answer");
  const wire::node* found = tree ? tree->find(list) : nullptr;
  if (found != nullptr && found->kind == wire::node_kind::map) found = found->find("mistakes");
  const std::string place =
      ":" + std::to_string(broken.place.line) + ":" + std::to_string(broken.place.column) + ": " + broken.path + ": ";
  return found != nullptr && std::ranges::any_of(found->children, [&](const wire::node& line) {
           return line.text.find(place) != std::string::npos && line.text.find(broken.words) != std::string::npos;
         });
}

TEST_CASE("broken configurations: each is refused while requests run, and what ran keeps running") {
  fake_cell one(says{"one"});
  fake_cell two(says{"two"});
  router_config config{.placements = {{"tier1", at(one.port())}, {"tier3", at(two.port())}}};
  config.reload = "watch: false, poll: off";
  router_process router(config);
  const auto reload = [&router] {
    return ask(router.admin_port(), request("POST /v1/reload", "Content-Length: 0\r\n"));
  };
  const auto all = support::broken_configurations();
  constexpr std::size_t tried_max = 60;
  int tried = 0;
  {
    const steady_client load(router.port());
    for (std::size_t i = 0; i < all.size(); i += all.size() / tried_max, ++tried) {
      const support::broken_configuration& broken = all[i];
      CAPTURE(broken.says);
      CAPTURE(broken.path);
      router.edit(broken.text);
      const int served_before = load.served();
      const message answer = reload();
      CHECK(answer.status() == 422);
      CHECK_MESSAGE(tells(answer.content, "mistakes", broken), answer.content);
      const std::string page = router.admin("/debug/config").content;
      CHECK_MESSAGE(tells(page, "rejected", broken), page);
      CHECK(log_line(page)["generation"] == "1");
      CHECK(eventually([&] { return load.served() > served_before; }));
    }
    CHECK(load.failed() == 0);
  }
  CHECK(tried >= 60);
  CHECK(router.metric("gateway_config_apply_total", {"result=\"rejected\""}) == tried);
  CHECK(eventually([&] {
    const std::vector<std::string> lines = router.process().lines();
    return std::ranges::count_if(lines, [](const std::string& line) {
             return line.find("\"event\":\"config_rejected\"") != std::string::npos;
           }) == tried;
  }));

  config.keys = "acme: tier3";
  router.edit(config);
  CHECK(reload().content == "{\"result\":\"applied\",\"generation\":2}\n");
  CHECK(ask(router.port(), keyed("GET /")).content == "two");
  CHECK(log_line(router.admin("/debug/config").content)["rejected"] == "null");
}

}  // namespace
}  // namespace cellroute::system_test
