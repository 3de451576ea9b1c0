#include "adapters/wire/chunk_frame.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

namespace cellroute::wire {
namespace {

using bytes = std::vector<std::byte>;

const bytes payload(1000, std::byte{'p'});

bytes frame_of(const chunk& c) {
  const auto head = write_chunk_head(c);
  bytes frame(head.begin(), head.end());
  frame.insert(frame.end(), c.payload.begin(), c.payload.end());
  return frame;
}

bytes good_frame() { return frame_of({7, 2, 5, 65'536, payload}); }

TEST_CASE("chunk frame: the bytes of one, as they stand in the protocol") {
  const bytes one{std::byte{0x61}};
  const auto head = write_chunk_head({0x0102030405060708, 0x11121314, 0x21222324, 0x3132333435363738, one});
  const unsigned char expected[] = {'C',  'R',  'C',  '1',  1,    0,    0,    0,    0x08, 0x07, 0x06, 0x05, 0x04, 0x03,
                                    0x02, 0x01, 0x14, 0x13, 0x12, 0x11, 0x24, 0x23, 0x22, 0x21, 0x38, 0x37, 0x36, 0x35,
                                    0x34, 0x33, 0x32, 0x31, 1,    0,    0,    0,    0x30, 0x43, 0xd0, 0xc1};
  CHECK(std::ranges::equal(head, expected, {}, {}, [](unsigned char c) { return std::byte{c}; }));
}

TEST_CASE("chunk frame: what is written is read") {
  const bytes frame = good_frame();
  const auto read = read_chunk(frame);
  REQUIRE(read);
  CHECK(read->transfer == 7);
  CHECK(read->seq == 2);
  CHECK(read->total == 5);
  CHECK(read->offset == 65'536);
  CHECK(std::ranges::equal(read->payload, payload));
  CHECK(read->payload.data() == frame.data() + chunk_head_bytes);
  CHECK(read_chunk(frame_of({0, 0, 1, 0, bytes(chunk_payload_bytes_max, std::byte{1})})));
}

struct bad_chunk {
  std::string_view says;
  void (*change)(bytes& frame);
  chunk_error expected;
};
const bad_chunk bad_chunks[] = {
    {"nothing", [](bytes& f) { f.clear(); }, chunk_error::too_short},
    {"half a head", [](bytes& f) { f.resize(39); }, chunk_error::too_short},
    {"another protocol", [](bytes& f) { f[3] = std::byte{'2'}; }, chunk_error::bad_magic},
    {"a kind of later versions", [](bytes& f) { f[4] = std::byte{2}; }, chunk_error::unknown_kind},
    {"something where nothing stands yet", [](bytes& f) { f[6] = std::byte{1}; }, chunk_error::unknown_kind},
    {"a payload that is cut", [](bytes& f) { f.pop_back(); }, chunk_error::bad_size},
    {"more behind the payload", [](bytes& f) { f.push_back({}); }, chunk_error::bad_size},
    {"a size of four gigabytes", [](bytes& f) { f[35] = std::byte{0xff}; }, chunk_error::bad_size},
    {"no payload", [](bytes& f) { f = frame_of({7, 2, 5, 0, {}}); }, chunk_error::bad_size},
    {"a payload one byte too large", [](bytes& f) { f = frame_of({7, 2, 5, 0, bytes(chunk_payload_bytes_max + 1)}); },
     chunk_error::bad_size},
    {"a number beyond the last", [](bytes& f) { f[16] = std::byte{5}; }, chunk_error::bad_place},
    {"no chunks at all", [](bytes& f) { f[20] = std::byte{0}; }, chunk_error::bad_place},
    {"a payload with a flipped bit", [](bytes& f) { f[500] ^= std::byte{4}; }, chunk_error::bad_crc},
    {"a sum with a flipped bit", [](bytes& f) { f[39] ^= std::byte{4}; }, chunk_error::bad_crc},
};

TEST_CASE("chunk frame: what is no chunk is refused") {
  for (const bad_chunk& row : bad_chunks) {
    CAPTURE(row.says);
    bytes frame = good_frame();
    row.change(frame);
    frame.shrink_to_fit();  // one byte read too far is seen
    const auto read = read_chunk(frame);
    REQUIRE_FALSE(read);
    CHECK((read.error() == row.expected));
    CHECK_FALSE(to_string(read.error()).empty());
  }
}

}  // namespace
}  // namespace cellroute::wire
