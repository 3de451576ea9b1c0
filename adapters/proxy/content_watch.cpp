#include "adapters/proxy/content_watch.hpp"

#include <fmt/format.h>

namespace cellroute::proxy {
namespace {

constexpr duration mark_period = std::chrono::seconds(60);

double share_of(const request_counts& counts) {
  return static_cast<double>(counts.own_5xx) / static_cast<double>(counts.finished);
}

}  // namespace

request_counts content_watch::between(const request_counts& from, const request_counts& to) {
  return {to.finished - from.finished, to.own_5xx - from.own_5xx};
}

void content_watch::count(const request_counts& total, time_point now) {
  latest_ = total;
  if (now - last_.at < mark_period) return;
  before_last_ = last_;
  last_ = mark{total, now};
}

void content_watch::began(time_point now) {
  const request_counts seen = between(before_last_.total, latest_);
  const bool is_known = began_ && usual_.finished >= requests_min;
  if (!is_known && seen.finished >= requests_min) usual_ = seen;
  went_back(now);
  began_ = last_;
}

void content_watch::went_back(time_point now) {
  began_.reset();
  before_last_ = last_ = mark{latest_, now};
}

std::optional<std::string> content_watch::take_harm(double percent, time_point now) {
  if (!began_) return std::nullopt;
  if (now - began_->at > watch_time) {
    began_.reset();
    return std::nullopt;
  }
  const request_counts since = between(began_->total, latest_);
  if (since.finished < requests_min || usual_.finished < requests_min) return std::nullopt;
  const double share = share_of(since);
  if (share * 100 <= percent || share <= share_of(usual_) * static_cast<double>(times_min)) return std::nullopt;
  began_.reset();
  return fmt::format("{} of {} requests were answered 5xx by this router since it is in use, {} of {} before",
                     since.own_5xx, since.finished, usual_.own_5xx, usual_.finished);
}

}  // namespace cellroute::proxy
