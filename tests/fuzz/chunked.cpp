// Chunked content: however it was cut, the outcome is the same; and what was decoded can be encoded and decoded again.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/http1/chunked_decoder.hpp"
#include "adapters/http1/head_writer.hpp"

using namespace cellroute;
using namespace cellroute::http1;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

struct decoded {
  std::string content;
  std::string trailers;
  std::size_t consumed_bytes = 0;
  chunked_decoder::status state = chunked_decoder::status::need_more;
  chunk_error error = chunk_error::none;
  friend bool operator==(const decoded&, const decoded&) = default;
};

// `cuts` gives the sizes of the pieces, over and over.
decoded decode(std::string_view input, std::string_view cuts) {
  chunked_decoder decoder;
  decoded result;
  for (std::size_t begin = 0, turn = 0; begin < input.size() && result.state == chunked_decoder::status::need_more;) {
    const std::size_t wanted =
        cuts.empty() ? input.size() : static_cast<unsigned char>(cuts[turn++ % cuts.size()]) + 1u;
    const std::string_view piece = input.substr(begin, wanted);
    std::vector<char> io(piece.begin(), piece.end());
    const auto progress = decoder.decode_in_place(io);
    require(progress.produced <= progress.consumed && progress.consumed <= io.size());
    require(progress.consumed == io.size() || progress.state != chunked_decoder::status::need_more);
    result.content.append(io.data(), progress.produced);
    result.consumed_bytes += progress.consumed;
    result.state = progress.state;
    begin += piece.size();
  }
  result.trailers = decoder.trailers();
  result.error = decoder.error();
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t cuts_bytes = 4;
  if (size < cuts_bytes) return 0;
  const std::string cuts(data, data + cuts_bytes);
  const std::string input(data + cuts_bytes, data + size);
  const decoded whole = decode(input, {});
  require(whole == decode(input, cuts));
  require(whole == decode(input, std::string_view{"\0", 1}));
  if (whole.state != chunked_decoder::status::done) return 0;

  std::array<field, trailer_fields_max> storage;
  const auto trailers = parse_trailers(whole.trailers, storage);
  require(trailers.has_value());
  std::string again;
  if (!whole.content.empty()) {
    std::array<char, chunk_prefix_bytes_max> room;
    const std::size_t prefix = write_chunk_prefix(room, whole.content.size());
    again.append(room.end() - static_cast<std::ptrdiff_t>(prefix), room.end());
    again.append(whole.content).append(chunk_suffix);
  }
  std::string end(last_chunk_size_bound(*trailers), '\0');
  end.resize(write_last_chunk(end, *trailers));
  again += end;
  const decoded second = decode(again, cuts);
  // A trailer may grow by the space behind its colon, and with it over the limit.
  if (second.error == chunk_error::trailers_too_long) return 0;
  require(second.state == chunked_decoder::status::done && second.consumed_bytes == again.size());
  require(second.content == whole.content);
  return 0;
}
