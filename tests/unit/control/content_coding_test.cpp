#include "adapters/control/content_coding.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "tests/support/gzip.hpp"

namespace cellroute::control {
namespace {

using support::packed;
using support::packed_form;

struct taken {
  content_fault fault;
  std::string text;
};

taken take(content_coding coding, std::string_view bytes, std::size_t piece_bytes, std::size_t size_max = 1'000'000) {
  content_decoder decoder(coding, size_max);
  taken found{content_fault::none, {}};
  for (bool goes_on = true; goes_on && !bytes.empty();) {
    const std::string_view piece = bytes.substr(0, piece_bytes);
    goes_on = decoder.take(piece, found.text);
    bytes.remove_prefix(piece.size());
  }
  found.fault = decoder.finish();
  return found;
}

struct coding_case {
  std::string_view says;
  content_coding coding;
  std::string bytes;
  content_fault fault;
  std::string_view text;
};

TEST_CASE("content coding: what is whole is taken, and nothing else") {
  constexpr auto gzip = content_coding::gzip;
  constexpr auto deflate = content_coding::deflate;
  const std::string whole = packed("some rows\n", "more rows\n");
  const std::string zlib = packed("some rows\n", "more rows\n", false, packed_form::zlib);
  std::string other_sum = whole;
  other_sum[whole.size() - 6] = static_cast<char>(other_sum[whole.size() - 6] + 1);
  const coding_case cases[] = {
      {"as it is", content_coding::identity, "some rows\n", content_fault::none, "some rows\n"},
      {"a member", gzip, whole, content_fault::none, "some rows\nmore rows\n"},
      {"two members (RFC 1952, section 2.2)", gzip, packed("a\n", "") + packed("b\n", ""), content_fault::none,
       "a\nb\n"},
      {"one of nothing", gzip, packed("", ""), content_fault::none, ""},
      {"cut at a flush", gzip, packed("some rows\n", "", true), content_fault::cut, "some rows\n"},
      {"cut in the sum", gzip, whole.substr(0, whole.size() - 4), content_fault::cut, "some rows\nmore rows\n"},
      {"cut behind the text", gzip, whole.substr(0, whole.size() - 8), content_fault::cut, "some rows\nmore rows\n"},
      {"the second member is cut", gzip, whole + whole.substr(0, 5), content_fault::cut, "some rows\nmore rows\n"},
      {"of the second there is a byte", gzip, whole + "\x1f", content_fault::cut, "some rows\nmore rows\n"},
      {"no byte at all", gzip, "", content_fault::cut, ""},
      {"more behind the end", gzip, whole + "more", content_fault::damaged, "some rows\nmore rows\n"},
      {"zeros behind the end", gzip, whole + std::string(512, '\0'), content_fault::damaged, "some rows\nmore rows\n"},
      {"another sum", gzip, other_sum, content_fault::damaged, "some rows\nmore rows\n"},
      {"no gzip", gzip, "some rows\n", content_fault::damaged, ""},
      {"the other coding", gzip, zlib, content_fault::damaged, ""},
      {"deflate", deflate, zlib, content_fault::none, "some rows\nmore rows\n"},
      {"deflate, cut", deflate, zlib.substr(0, zlib.size() - 1), content_fault::cut, "some rows\nmore rows\n"},
      {"deflate has no members", deflate, zlib + zlib, content_fault::damaged, "some rows\nmore rows\n"},
  };
  for (const coding_case& row : cases) {
    CAPTURE(row.says);
    for (const std::size_t piece_bytes : {1'000u, 1u, 7u}) {
      const taken got = take(row.coding, row.bytes, piece_bytes);
      CHECK(got.fault == row.fault);
      if (got.fault != content_fault::damaged) CHECK(got.text == row.text);
    }
  }
}

TEST_CASE("content coding: no more is made of it than may be taken") {
  const std::string zeros(300'000, '0');
  const std::string small = packed(zeros, "");
  CHECK(small.size() < 2'000);
  CHECK(take(content_coding::gzip, small, 100, 300'000).text == zeros);
  for (const std::size_t size_max : {0u, 1u, 65'536u, 299'999u}) {
    const taken got = take(content_coding::gzip, small, 100, size_max);
    CHECK(got.fault == content_fault::too_large);
    CHECK(got.text.size() <= size_max);
  }
  CHECK(take(content_coding::identity, zeros, 100, 299'999).fault == content_fault::too_large);
  CHECK(take(content_coding::identity, zeros, 100, 300'000).fault == content_fault::none);
}

TEST_CASE("content coding: the codings by their names") {
  CHECK(read_coding("") == content_coding::identity);
  CHECK(read_coding("identity") == content_coding::identity);
  CHECK(read_coding("GZIP") == content_coding::gzip);
  CHECK(read_coding("x-gzip") == content_coding::gzip);
  CHECK(read_coding("deflate") == content_coding::deflate);
  for (const std::string_view other : {"br", "zstd", "gzip, gzip", "gzip,", "compress", " gzip"})
    CHECK_FALSE(read_coding(other));
}

}  // namespace
}  // namespace cellroute::control
