#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "adapters/edge/content.hpp"
#include "adapters/edge/exchange.hpp"
#include "adapters/http1/head_error.hpp"
#include "adapters/http1/response_head.hpp"
#include "cellroute/model/policy.hpp"

namespace cellroute::edge {

class http1_pool;

/// One HTTP/1.1 connection to an endpoint, and the request that it carries at the moment.
class http1_upstream final : public upstream_stream {
 public:
  explicit http1_upstream(http1_pool& pool);

  bool is_reused() const override { return served_ != 0; }
  io::task<stream_fault> connect(time_point deadline) override;
  io::task<stream_fault> send_head(const outgoing_request& head, body_piece first, std::span<const field> trailers,
                                   time_point deadline) override;
  io::task<stream_fault> send_body(body_piece piece, std::span<const field> trailers, time_point deadline) override {
    return writer_.send(piece, trailers, deadline);
  }
  io::task<answer_head> read_head(time_point deadline) override;
  void expect_answer_by(time_point deadline) override { socket_.move_read_deadline(deadline); }
  body_piece first_body() override { return reader_.take(); }
  io::task<body_piece> read_body(time_point deadline) override { return reader_.read(deadline); }
  void welcome_pipes(bool welcome) override { reader_.welcome_pipes(welcome); }
  bool takes_pipes() const override { return !socket_.is_secure(); }
  std::span<field> trailers() override { return reader_.trailers(); }
  bool has_answered() const override { return answered_; }
  bool closes_after_answer() const override { return closes_; }
  void become_tunnel() override;
  void cancel() override { socket_.cancel(); }
  void release() override;

 private:
  friend http1_pool;
  [[nodiscard]] bool is_reusable();
  /// Whether an idle connection can still carry a request, as far as is known.
  [[nodiscard]] bool is_fit() { return socket_.is_open() && !socket_.has_news() && !socket_.peer_closed(); }

  http1_pool& pool_;
  io::socket socket_;
  input_bytes input_;
  content_reader reader_;
  content_writer writer_;
  io::buffer fields_block_;
  http1::response_head head_;
  std::size_t place_ = 0;  // in the pool's list of lent connections
  std::uint64_t served_ = 0;
  time_point idle_since_;
  bool request_was_head_ = false;
  std::string_view upgrade_asked_;  // lies in the request, which is there until its answer is
  bool answered_ = false;
  bool final_head_read_ = false;
  bool closes_ = false;
  bool tunnel_ = false;
};

/// Where connections come from that no address leads to: a pair of sockets within the process.
class connector {
 public:
  /// A descriptor that is connected and non-blocking. Errors: errno.
  [[nodiscard]] virtual expected<int, int> connect() = 0;

 protected:
  ~connector() = default;
};

struct pool_options {
  io::socket_address address;
  pool_policy policy;
  http1::head_limits limits;
  connector* connects = nullptr;  ///< in place of the address
};

/// One endpoint's connections on one reactor: the idle ones, last in first out, and those that are lent.
///
/// Threads: the reactor's. Outlives its streams. Cost: `take` allocates only for a connection that is yet to be made.
class http1_pool final : public upstream_source {
 public:
  http1_pool(io::reactor& reactor, pool_options options) : reactor_(reactor), options_(options) {}
  http1_pool(const http1_pool&) = delete;
  http1_pool& operator=(const http1_pool&) = delete;

  upstream_handle take(connection_need need) override;

  /// Closes what has been idle for too long or has been closed by the endpoint. To be called every second or so.
  void sweep(time_point now);
  /// The endpoint's name leads elsewhere now: idle connections close, lent ones are not used again.
  void move_to(const io::socket_address& address);

  /// Bounds of the answers that begin from now on.
  void set_limits(const http1::head_limits& limits) { options_.limits = limits; }

  [[nodiscard]] std::size_t idle_count() const { return idle_.size(); }
  [[nodiscard]] std::size_t lent_count() const { return lent_.size(); }

 private:
  friend http1_upstream;
  void give_back(http1_upstream& connection);

  io::reactor& reactor_;
  pool_options options_;
  std::vector<std::unique_ptr<http1_upstream>> idle_;
  std::vector<std::unique_ptr<http1_upstream>> lent_;
};

}  // namespace cellroute::edge
