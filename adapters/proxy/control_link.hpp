#pragma once

#include <array>
#include <atomic>
#include <coroutine>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "adapters/io/reactor.hpp"
#include "adapters/io/socket.hpp"
#include "adapters/io/tls_context.hpp"
#include "adapters/proxy/name_table.hpp"
#include "adapters/sync/router_link.hpp"
#include "adapters/websocket/session.hpp"
#include "adapters/wire/settings.hpp"

namespace cellroute::proxy {

/// What is to be done with contents, and who is told what happens. Called on the link's thread, which nothing may hold
/// up: answers come later, by the link's `post`.
class content_handler {
 public:
  /// `salt` is that of the control plane's digests.
  virtual void check(sync::check_content what, std::uint64_t salt) = 0;
  virtual void check(sync::check_base_content what) = 0;
  virtual void activate(const wire::content_id& content) = 0;
  virtual void unchanged(const wire::content_id& content) = 0;
  virtual void drop(const wire::content_id& content) = 0;
  virtual void sum_up(sync::sum_up_rows what, std::uint64_t salt) = 0;
  virtual void on_refused(const std::string& label, const std::string& why) = 0;
  virtual void on_link_event(const std::string& event, const std::string& message) = 0;
  /// What an answer to a beat tells of this process, as it is now.
  [[nodiscard]] virtual wire::pong status() = 0;

 protected:
  ~content_handler() = default;
};

struct control_link_options {
  std::vector<wire::control_plane_url> urls{};
  std::string token_file{};                       ///< as the process opens it; empty: none
  io::tls_client_options tls{};                   ///< of urls with `wss`; files as the process opens them
  std::optional<sync::backoff_policy> backoff{};  ///< none: as the protocol that is spoken asks for
  sync::router_identity who{};
  bool accept_version_reset = true;  ///< as of `sync::link_settings`
  sync::intake_limits limits{};
  sync::intake_memory memory{};
  std::uint64_t seed = 0;
};

/// What is known of a router's links, one after the other. Threads: any.
struct link_figures {
  std::atomic<bool> is_connected{false};
  std::atomic<std::uint64_t> opened{0};                                       ///< connections
  std::array<std::atomic<std::uint64_t>, sync::open_failure_count> failed{};  ///< tries that came to none, by reason
  std::atomic<std::uint64_t> unknown_messages{0};
  std::atomic<std::int64_t> confirmed_at{-1};  ///< of `time_point`; -1: not yet
};

/// Masks that nobody can guess. Source: RFC 6455 section 5.3.
class random_masks final : public websocket::mask_source {
 public:
  [[nodiscard]] websocket::mask_key next_mask() override;
};

/// The router's connection to its control planes, on a thread of its own: what `sync::router_link` wants done is done
/// here, with sockets and a clock.
///
/// Nothing that a request needs waits for it. Threads: made and destroyed by one; `post` may be called by any. Outlived
/// by the handler and the figures.
class control_link final : private io::tick_listener, private name_listener {
 public:
  control_link(control_link_options options, content_handler& handler, link_figures& figures);
  control_link(const control_link&) = delete;
  control_link& operator=(const control_link&) = delete;
  ~control_link();

  void start();
  /// Ends the connection, and waits for the link's thread: a moment. Nothing is done any more, whatever was posted.
  void stop();
  /// Once it has stopped: what it knew of contents.
  [[nodiscard]] const sync::content_intake& contents() const { return link_.contents(); }

  /// Has `f(link, now)` run on the link's thread, and what follows from it done.
  template <class F>
  void post(F f) {
    reactor_.post([this, f = std::move(f)] {
      f(link_, reactor_.now());
      pump();
    });
  }

 private:
  /// A connection, from the first try to its end: lives in the coroutine that carries it.
  struct connection {
    struct awaiter {
      connection& of;
      [[nodiscard]] bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> waiting) const { of.sender = waiting; }
      void await_resume() const noexcept {}
    };
    explicit connection(io::reactor& owner) : socket(owner) {}
    /// Waits until there is something to send, or nothing is to be sent any more.
    [[nodiscard]] awaiter news() { return {*this}; }
    void wake();

    io::socket socket;
    std::string out{};  ///< frames that wait
    std::optional<websocket::session> session{};
    std::coroutine_handle<> sender{};  ///< that waits for `news`
    bool is_over = false;
  };
  struct failed_try {
    sync::open_failure why = sync::open_failure::unreachable;
    duration retry_after{};
    std::string message{};
  };
  /// What a try came to: the subprotocol that was agreed on, if any, or why there is no connection.
  struct try_result {
    bool is_native = false;
    std::string rest{};  ///< what came behind the answer
    std::optional<failed_try> failed{};
  };

  void on_tick(time_point now) override;
  void on_address(const std::string&, const io::socket_address&) override {}
  void on_unresolved(const std::string& host, const std::string& why) override;

  io::root_task carry(std::size_t address);
  [[nodiscard]] io::task<try_result> open(connection& c, const wire::control_plane_url& url);
  [[nodiscard]] io::task<std::string> read_head(connection& c, time_point deadline, std::size_t& head_bytes);
  [[nodiscard]] io::task<void> read_body(connection& c, time_point deadline, std::uint64_t size_bytes,
                                         std::string& body);
  [[nodiscard]] io::task<bool> write_all(connection& c, std::string text, time_point deadline);
  [[nodiscard]] io::task<void> read_messages(connection& c, std::string rest);
  [[nodiscard]] io::task<void> send_messages(connection& c);
  void take(connection& c, std::span<char> bytes);
  void send(std::string_view text);
  void close();
  /// Does all that the machine wants done.
  void pump();
  void perform(sync::open_connection& what);
  void perform(sync::close_connection& what);
  void perform(wire::message& what);
  void perform(sync::send_text& what);
  void perform(sync::check_content& what);
  void perform(sync::check_base_content& what);
  void perform(sync::activate_content& what);
  void perform(sync::content_unchanged& what);
  void perform(sync::drop_content& what);
  void perform(sync::sum_up_rows& what);
  void perform(sync::content_refused& what);
  void perform(sync::tell& what);
  static sync::link_settings settings_of(const control_link_options& options);

  control_link_options options_;
  content_handler& handler_;
  link_figures& figures_;
  io::reactor reactor_;
  name_table names_;
  name_resolver resolver_;
  sync::router_link link_;
  random_masks masks_;
  connection* current_ = nullptr;  ///< the one whose words count
  bool is_pumping_ = false;
  std::uint64_t unknown_messages_ = 0;  ///< as they were counted last
  std::thread thread_;
};

}  // namespace cellroute::proxy
