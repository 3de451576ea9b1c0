#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "adapters/control/head_file.hpp"
#include "adapters/io/reactor.hpp"
#include "adapters/process/file_follower.hpp"
#include "adapters/sync/content.hpp"
#include "adapters/wire/config_file.hpp"

namespace cellroute::control {

/// A content to be published, with its number.
struct numbered_content {
  sync::content content;
  wire::content_id id{};
  std::string label{};  ///< the operator's own name of it: `version` of the file
  std::uint64_t rows_quarantined = 0;
};

/// Hears what came of a followed file. Called on its reactor.
class watch_listener {
 public:
  virtual void on_content(numbered_content made) = 0;
  /// What was published stays published. A line for the operator for each mistake.
  virtual void on_refused(const std::vector<std::string>& mistakes) = 0;
  /// Somebody asked, or it was written again, and it says what is published.
  virtual void on_unchanged(bool is_asked) = 0;

 protected:
  ~watch_listener() = default;
};

/// Follows a routing file and makes contents of it, away from the reactor: it is read and checked as a router does that
/// has it for itself, its rows apart from all else. Local sections in it mean nothing here.
///
/// Numbers are given here, and only to what is new: a file that says the same in other words, or again after a restart,
/// has the number that it had.
///
/// Threads: the reactor's. Outlived by all that it is given, and outlives the reactor's run.
class watched_file final : private process::file_reader {
 public:
  /// `seed` is a secret of this process, for the tables.
  watched_file(io::reactor& reactor, std::string path, head_file& head, std::uint64_t seed, watch_listener& listener);
  watched_file(const watched_file&) = delete;
  watched_file& operator=(const watched_file&) = delete;

  /// Reads it now, on this thread, before the reactor runs.
  [[nodiscard]] expected<numbered_content, std::vector<std::string>> read_first();
  /// From now on.
  void start();
  /// Reads it, whether it has changed or not.
  void demand() { (void)follower_.demand(); }

  [[nodiscard]] const std::string& path() const { return file_.path; }
  /// Why the file as it is now is not what is published; empty where it is.
  [[nodiscard]] const std::vector<std::string>& mistakes() const { return mistakes_; }

 private:
  struct unchanged {};
  struct unsettled {};  ///< somebody writes it now
  struct refused {
    std::vector<std::string> mistakes;
    bool may_pass = false;  ///< the reason is not in the file
  };
  struct reading {
    std::uint64_t hash = 0;
    std::vector<std::string> files{};
    std::variant<unchanged, unsettled, refused, numbered_content> what{};
  };

  void begin(const process::follow_reading& how) override { how_ = how; }
  void read() override { reading_ = read_all(); }
  void take(const std::string& why_not) override;
  [[nodiscard]] reading read_all();
  [[nodiscard]] std::variant<unchanged, unsettled, refused, numbered_content> make(wire::configuration& c);
  void refuse(refused why);

  wire::config_file file_;
  head_file& head_;
  std::uint64_t seed_;
  watch_listener& listener_;
  std::uint64_t hash_ = 0;  ///< of the files, as they were read last
  bool is_published_ = false;
  std::vector<std::string> files_;
  std::vector<std::string> mistakes_;
  process::follow_reading how_;
  std::optional<reading> reading_;   // by the thread
  process::file_follower follower_;  // last: it waits for its thread
};

}  // namespace cellroute::control
