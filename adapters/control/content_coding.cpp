#include "adapters/control/content_coding.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <new>

#include "cellroute/base/ascii.hpp"

namespace cellroute::control {
namespace {

constexpr std::size_t inflated_piece_bytes = 65'536;
constexpr int window_bits = 15;
constexpr int gzip_only = 16;  // as zlib has it: added to the bits of the window

const Bytef* zlib_bytes(const char* text) { return static_cast<const Bytef*>(static_cast<const void*>(text)); }

}  // namespace

class content_decoder::inflater {
 public:
  explicit inflater(content_coding coding) : has_members_(coding == content_coding::gzip) {
    if (inflateInit2(&stream_, has_members_ ? window_bits + gzip_only : window_bits) != Z_OK) throw std::bad_alloc();
  }
  inflater(const inflater&) = delete;
  inflater& operator=(const inflater&) = delete;
  ~inflater() { inflateEnd(&stream_); }

  [[nodiscard]] content_fault take(std::string_view bytes, std::string& to, std::size_t size_max) {
    while (!bytes.empty()) {
      const std::size_t now = std::min<std::size_t>(bytes.size(), std::numeric_limits<uInt>::max());
      stream_.next_in = const_cast<Bytef*>(zlib_bytes(bytes.data()));  // which is read, and not written to
      stream_.avail_in = static_cast<uInt>(now);
      if (const content_fault fault = inflate_all(to, size_max); fault != content_fault::none) return fault;
      bytes.remove_prefix(now);
    }
    return content_fault::none;
  }
  [[nodiscard]] bool is_at_end() const { return is_at_end_; }

 private:
  [[nodiscard]] content_fault inflate_all(std::string& to, std::size_t size_max) {
    do {
      if (is_at_end_) {
        if (!has_members_ || inflateReset(&stream_) != Z_OK) return content_fault::damaged;
        is_at_end_ = false;
      }
      stream_.next_out = piece_.data();
      stream_.avail_out = static_cast<uInt>(piece_.size());
      const int result = inflate(&stream_, Z_NO_FLUSH);
      const std::size_t made = piece_.size() - stream_.avail_out;
      if (made > size_max - to.size()) return content_fault::too_large;
      to.append(static_cast<const char*>(static_cast<const void*>(piece_.data())), made);
      if (result == Z_MEM_ERROR) throw std::bad_alloc();
      if (result == Z_BUF_ERROR) break;  // it wants more
      if (result != Z_OK && result != Z_STREAM_END) return content_fault::damaged;
      is_at_end_ = result == Z_STREAM_END;
    } while (stream_.avail_in > 0 || (!is_at_end_ && stream_.avail_out == 0));
    return content_fault::none;
  }

  z_stream stream_{};
  std::array<Bytef, inflated_piece_bytes> piece_;
  bool has_members_;
  bool is_at_end_ = false;
};

std::optional<content_coding> read_coding(std::string_view value) {
  const auto is = [value](std::string_view name) { return equal_ignoring_case(value, name); };
  if (value.empty() || is("identity")) return content_coding::identity;
  if (is("gzip") || is("x-gzip")) return content_coding::gzip;
  if (is("deflate")) return content_coding::deflate;
  return std::nullopt;
}

std::string_view to_string(content_fault fault) {
  switch (fault) {
    case content_fault::none:
    case content_fault::too_large:
      return {};
    case content_fault::cut:
      return "the content is cut: it ends before its coding does; send it whole";
    case content_fault::damaged:
      return "the content is damaged: it is not in the coding that Content-Encoding names, or more stands behind its "
             "end";
  }
  return {};
}

content_decoder::content_decoder(content_coding coding, std::size_t size_max)
    : inflater_(coding == content_coding::identity ? nullptr : std::make_unique<inflater>(coding)),
      size_max_(size_max) {}
content_decoder::~content_decoder() = default;

bool content_decoder::fail(content_fault what) {
  fault_ = what;
  return what == content_fault::none;
}

bool content_decoder::take(std::string_view bytes, std::string& to) {
  if (fault_ != content_fault::none) return false;
  if (inflater_ != nullptr) return fail(inflater_->take(bytes, to, size_max_));
  if (bytes.size() > size_max_ - to.size()) return fail(content_fault::too_large);
  to += bytes;
  return true;
}

content_fault content_decoder::finish() const {
  const bool is_cut = inflater_ != nullptr && !inflater_->is_at_end();
  return fault_ == content_fault::none && is_cut ? content_fault::cut : fault_;
}

}  // namespace cellroute::control
