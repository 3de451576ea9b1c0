#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

/// Content of requests that comes compressed (RFC 9110, section 8.4).
namespace cellroute::control {

enum class content_coding : std::uint8_t { identity, gzip, deflate };

/// What `Accept-Encoding` says of it.
inline constexpr std::string_view codings_taken = "gzip, deflate";

/// The coding that the value of a `Content-Encoding` names; nothing where it is none that is taken, or there are
/// several.
[[nodiscard]] std::optional<content_coding> read_coding(std::string_view value);

/// cut        it ends before its coding does
/// damaged    it is not in that coding, or something stands behind its end
/// too_large  it is more than may be taken
enum class content_fault : std::uint8_t { none, cut, damaged, too_large };

/// What a client is told of a fault; empty for `too_large`, which whoever has the bound tells.
[[nodiscard]] std::string_view to_string(content_fault fault);

/// Takes content as it comes, and puts what it says to a text. A gzip file may have several members, one behind the
/// other (RFC 1952, section 2.2): their texts are one.
///
/// Cost: memory of its own for the coding's window, some 40 KiB.
class content_decoder {
 public:
  /// Range: at most `size_max` bytes are put.
  content_decoder(content_coding coding, std::size_t size_max);
  content_decoder(const content_decoder&) = delete;
  content_decoder& operator=(const content_decoder&) = delete;
  ~content_decoder();

  /// False: there is a fault, and it takes no more.
  [[nodiscard]] bool take(std::string_view bytes, std::string& to);
  /// Once no more comes.
  [[nodiscard]] content_fault finish() const;

 private:
  class inflater;

  [[nodiscard]] bool fail(content_fault what);

  std::unique_ptr<inflater> inflater_;  // none: as it is
  std::size_t size_max_;
  content_fault fault_ = content_fault::none;
};

}  // namespace cellroute::control
