#include "adapters/proxy/admin_port.hpp"

#include <utility>

namespace cellroute::proxy {
namespace {

constexpr std::uint32_t connections_max = 1000;

}  // namespace

int admin_port::serve(int descriptor, const io::socket_address& address, duration timeout) {
  edge::listener_options options;
  options.address = address;
  options.connections_max = connections_max;
  edge::listener_observer& nobody = *this;
  auto next = std::make_unique<edge::listener>(reactor_, options, pages_, nobody, count_);
  if (const int error = next->open(descriptor); error != 0) return error;
  if (listener_ != nullptr) {
    listener_->drain();
    endings_.push_back({std::move(listener_), reactor_.now() + timeout});
  }
  listener_ = std::move(next);
  address_ = address;
  return 0;
}

void admin_port::sweep(time_point now) {
  for (const ending& e : endings_) {
    if (now >= e.cut_at) e.listener->cut();
  }
  std::erase_if(endings_, [](const ending& e) { return e.listener->open_count() == 0; });
}

}  // namespace cellroute::proxy
