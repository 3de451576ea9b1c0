#pragma once

#include <zlib.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace cellroute::support {

enum class packed_form : int { zlib = 15, gzip = 15 + 16 };  // as zlib has it: bits of the window

/// A stream of two texts, one behind the other, with a flush between them. Where it is cut, it ends with the flush.
inline std::string packed(std::string_view first, std::string_view second, bool is_cut = false,
                          packed_form form = packed_form::gzip) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, static_cast<int>(form), 8, Z_DEFAULT_STRATEGY) != Z_OK)
    std::abort();
  std::string out(first.size() + second.size() + 1'000, '\0');
  stream.next_out = static_cast<Bytef*>(static_cast<void*>(out.data()));
  stream.avail_out = static_cast<uInt>(out.size());
  const auto put = [&stream](std::string_view text, int how) {
    // It is read, and not written to.
    stream.next_in = const_cast<Bytef*>(static_cast<const Bytef*>(static_cast<const void*>(text.data())));
    stream.avail_in = static_cast<uInt>(text.size());
    (void)deflate(&stream, how);
  };
  put(first, Z_FULL_FLUSH);
  if (!is_cut) put(second, Z_FINISH);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace cellroute::support
