#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/process/disk.hpp"
#include "adapters/process/kept_file.hpp"
#include "adapters/wire/sync_messages.hpp"
#include "cellroute/base/expected.hpp"

/// The small files beside contents that were pushed. They are texts, for whoever looks for what went wrong: what the
/// file is, a line of two words for each thing, and a CRC-32C of all before it.
namespace cellroute::proxy {

/// `CURRENT`, `PREVIOUS`: a chain of files and a content in it.
struct chain_mark {
  std::string stem{};  ///< what the names of its files have in common
  wire::digest sum{};
  friend bool operator==(const chain_mark&, const chain_mark&) = default;
};

/// `BOOT`: how often a content was begun.
struct boot_record {
  wire::digest sum{};
  std::uint32_t begun = 0;
  bool has_survived = false;  ///< once; then it is not counted
  friend bool operator==(const boot_record&, const boot_record&) = default;
};

/// Of records in one note; what is beyond was not written here.
inline constexpr std::size_t note_lines_max = 64;

/// Whether it can be the stem of names: no path, nothing hidden.
[[nodiscard]] bool is_stem(std::string_view text);

[[nodiscard]] std::string write_mark(const chain_mark& mark);
[[nodiscard]] std::string write_boots(std::span<const boot_record> boots);
/// The last `note_lines_max`. Range: codes as `to_string` of a `refusal_code` has them; others are left out.
[[nodiscard]] std::string write_quarantine(std::span<const wire::quarantined_content> quarantined);

/// Errors: what is wrong with the text, to stand behind a file's name.
[[nodiscard]] expected<chain_mark, std::string> read_mark(std::string_view text);
[[nodiscard]] expected<std::vector<boot_record>, std::string> read_boots(std::string_view text);
[[nodiscard]] expected<std::vector<wire::quarantined_content>, std::string> read_quarantine(std::string_view text);

/// The text of a note; nothing where there is none.
/// Errors: what the system says, with the file's name.
[[nodiscard]] expected<std::optional<std::string>, std::string> load_note(process::disk& on, const std::string& name);
[[nodiscard]] expected<void, process::replace_error> store_note(process::disk& on, const std::string& name,
                                                                std::string_view text);

}  // namespace cellroute::proxy
