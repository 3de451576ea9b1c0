#include "adapters/control/readiness.hpp"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <memory>
#include <utility>

namespace cellroute::control {
namespace {

constexpr duration look_period = 2s;
constexpr duration patience = 20s;  // for a disk; a million rows are written in less

}  // namespace

std::string why_not_ready(registry& of) {
  auto reading = store_reader::open(of.store_path());
  if (!reading) return reading.error().detail;
  if (const auto head = reading->head(); !head) return head.error().detail;
  struct statvfs disk{};
  if (::statvfs(of.store_path().c_str(), &disk) != 0) return "the store's disk cannot be looked at";
  if (is_nearly_full(disk.f_bavail, disk.f_blocks)) return "the store's disk has less than 5 % left";
  const auto written = of.check_writing();
  return written ? std::string() : written.error().detail;
}

class readiness::look final : public job {
 public:
  explicit look(readiness& of) : of_(of) {}
  void work() override { found_ = why_not_ready(of_.of_); }
  void done() override {
    of_.why_not_ = std::move(found_);
    if (!of_.why_not_.empty()) of_.of_.note_store_error();
    of_.is_looking_ = false;
  }

 private:
  readiness& of_;  // outlives its thread
  std::string found_;
};

readiness::readiness(io::reactor& reactor, registry& of)
    : of_(of), why_not_(why_not_ready(of)), look_at_(reactor.now() + look_period), thread_(reactor) {}

void readiness::on_tick(time_point now) {
  if (is_looking_ || now < look_at_) return;
  is_looking_ = true;
  began_at_ = now;
  look_at_ = now + look_period;
  thread_.add(std::make_unique<look>(*this));
}

std::string_view readiness::why_not(time_point now) const {
  if (is_looking_ && now - began_at_ > patience) return "the store's disk has not answered for long";
  return why_not_;
}

}  // namespace cellroute::control
