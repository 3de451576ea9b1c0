// Loaded in front of the router by a test: a library that ends the process when it is given a certain text. Regular
// expressions of a configuration come to this function while it is compiled.
#include <dlfcn.h>

#include <cstddef>
#include <cstdlib>
#include <string_view>

/// As the library has its texts.
struct string_piece {
  const char* start;
  std::size_t size;
};

using constructor = void(void* made, const string_piece& pattern, const void* options);
constexpr const char* constructor_name = "_ZN3re23RE2C1ERKNS_11StringPieceERKNS0_7OptionsE";

/// `re2::RE2::RE2(const StringPiece&, const Options&)`.
void fatal_pattern(void* made, const string_piece& pattern,
                   const void* options) asm("_ZN3re23RE2C1ERKNS_11StringPieceERKNS0_7OptionsE");

void fatal_pattern(void* made, const string_piece& pattern, const void* options) {
  if (std::string_view(pattern.start, pattern.size).find("fatal") != std::string_view::npos) std::abort();
  static auto* const next = reinterpret_cast<constructor*>(  // allow: reinterpret_cast: what dlsym gives is a function
      ::dlsym(RTLD_NEXT, constructor_name));
  next(made, pattern, options);
}
