#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/wire/sync_messages.hpp"

namespace cellroute::sync {

/// A content, or the way to it from another, as bytes that travel. Made once, for all routers.
struct artifact {
  wire::transfer_kind kind = wire::transfer_kind::snapshot;
  std::optional<wire::digest> base{};  ///< of the content that it starts from
  wire::content_id content{};
  std::string label{};
  wire::digest sum{};  ///< of `bytes`
  std::uint64_t raw_bytes = 0;
  std::uint64_t keys = 0;
  std::string compression = "none";
  std::vector<std::byte> bytes{};
};

/// What its receiver is told before the first byte. Who sends it adds the numbers of the transfer and of its chunks.
[[nodiscard]] inline wire::config_begin announce(const artifact& a) {
  wire::config_begin said;
  said.kind = a.kind;
  said.base = a.base;
  said.content = a.content;
  said.label = a.label;
  said.artifact = a.sum;
  said.bytes = a.bytes.size();
  said.raw_bytes = a.raw_bytes;
  said.keys = a.keys;
  said.compression = a.compression;
  return said;
}

/// An artifact in use: it stays as long as one of these has it. Threads: one owner of all.
class artifact_use {
 public:
  /// What is counted, with its count.
  struct counted {
    artifact what;
    std::size_t users = 0;
  };

  artifact_use() = default;
  explicit artifact_use(counted& of) : of_(&of) { ++of_->users; }
  artifact_use(artifact_use&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
  artifact_use& operator=(artifact_use&& other) noexcept {
    std::swap(of_, other.of_);
    return *this;
  }
  ~artifact_use() {
    if (of_ != nullptr) --of_->users;
  }

  explicit operator bool() const { return of_ != nullptr; }
  const artifact& operator*() const { return of_->what; }
  const artifact* operator->() const { return &of_->what; }
  [[nodiscard]] bool is(const counted& other) const { return of_ == &other; }
  void reset() { artifact_use gone(std::move(*this)); }

 private:
  counted* of_ = nullptr;  // outlives this: its owner looks at the count before it lets go
};

}  // namespace cellroute::sync
