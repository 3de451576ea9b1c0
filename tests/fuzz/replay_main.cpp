// Runs a fuzz target over its corpus: every file as it is, and every beginning of it up to a bound, since a parser
// meets those too.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::size_t beginnings_max = 256;

void replay(const std::vector<char>& bytes) {
  const auto run = [&bytes](std::size_t size_bytes) {
    // A copy of exactly that size, so that a sanitizer sees the first byte read too far.
    const std::vector<std::uint8_t> input(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size_bytes));
    LLVMFuzzerTestOneInput(input.data(), input.size());
  };
  for (std::size_t size_bytes = 0; size_bytes < std::min(bytes.size(), beginnings_max); ++size_bytes) run(size_bytes);
  run(bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t files = 0;
  for (int i = 1; i < argc; ++i) {
    std::error_code ec;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i], ec)) {
      if (!entry.is_regular_file()) continue;
      std::ifstream input(entry.path(), std::ios::binary);
      replay({std::istreambuf_iterator<char>(input), std::istreambuf_iterator<char>()});
      ++files;
    }
  }
  std::printf("%zu files replayed\n", files);
  return files == 0 ? 1 : 0;  // a corpus that is not there is not a pass
}
