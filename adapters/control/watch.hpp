#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "adapters/control/registry.hpp"
#include "adapters/io/reactor.hpp"
#include "adapters/process/file_follower.hpp"
#include "adapters/wire/config_file.hpp"

namespace cellroute::control {

/// Hears what came of a followed file. Called on its reactor.
class watch_listener {
 public:
  /// It is published. So many of its rows were left out.
  virtual void on_taken(std::uint64_t rows_quarantined) = 0;
  /// What was published stays published. A line for the operator for each mistake.
  virtual void on_refused(const std::vector<std::string>& mistakes) = 0;
  /// Somebody asked, or it was written again, and it says what is published.
  virtual void on_unchanged(bool is_asked) = 0;

 protected:
  ~watch_listener() = default;
};

/// Follows a routing file and publishes it, away from the reactor: it is read and checked as a router does that has it
/// for itself, its rows apart from all else. Local sections in it mean nothing here.
///
/// What breaks a guard of the settings is refused like what cannot be read; `registry_settings` has them.
///
/// Only what is new is a version: a file that says the same in other words, or again after a restart, has the number
/// that it had.
///
/// Threads: the reactor's. Outlived by all that it is given, and outlives the reactor's run.
class watched_file final : private process::file_reader {
 public:
  watched_file(io::reactor& reactor, std::string path, registry& to, watch_listener& listener);
  watched_file(const watched_file&) = delete;
  watched_file& operator=(const watched_file&) = delete;

  /// Reads it now, on this thread, before the reactor runs. How many rows were left out; or what is wrong with it.
  ///
  /// A file that breaks a guard is no reason not to start: what was published goes on, and `mistakes` tells. Call
  /// `tell_first` once somebody hears.
  [[nodiscard]] expected<std::uint64_t, std::vector<std::string>> read_first();
  void tell_first() const;
  /// From now on.
  void start();
  /// Reads it, whether it has changed or not.
  void demand() { (void)follower_.demand(); }
  /// The same, and the guards that are named, with commas between, do not count until this was read.
  void demand(std::string lifted);

  [[nodiscard]] const std::string& path() const { return file_.path; }
  /// Why the file as it is now is not what is published; empty where it is.
  [[nodiscard]] const std::vector<std::string>& mistakes() const { return mistakes_; }

 private:
  struct unchanged {};
  struct taken {
    std::uint64_t rows_quarantined = 0;
  };
  struct unsettled {};  ///< somebody writes it now
  struct refused {
    std::vector<std::string> mistakes;
    bool may_pass = false;    ///< the reason is not in the file
    bool is_guarded = false;  ///< the file is good, but changes too much
  };
  using outcome = std::variant<unchanged, unsettled, refused, taken>;
  struct reading {
    std::uint64_t hash = 0;
    std::vector<std::string> files{};
    outcome what{};
  };

  void begin(const process::follow_reading& how) override;
  void read() override { reading_ = read_all(); }
  void take(const std::string& why_not) override;
  [[nodiscard]] reading read_all();
  [[nodiscard]] outcome publish(wire::configuration& c);
  void refuse(refused why);

  wire::config_file file_;
  registry& to_;
  watch_listener& listener_;
  std::uint64_t hash_ = 0;  ///< of the files, as they were read last
  std::vector<std::string> files_;
  std::vector<std::string> mistakes_;
  process::follow_reading how_;
  std::string lifted_;               // the guards that do not count when it is read next
  std::string lifted_now_;           // and of this reading
  std::optional<reading> reading_;   // by the thread
  process::file_follower follower_;  // last: it waits for its thread
};

}  // namespace cellroute::control
