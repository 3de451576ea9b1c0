#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cellroute/base/expected.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace cellroute::control {

/// conflict     something else was published meanwhile
/// not_found    there never was such a thing
/// purged       it was there, and is no longer kept
/// full         the disk has no room
/// unavailable  the disk, or another process that holds the file, is in the way: it may pass
/// corrupt      the file is damaged, or says two things about one
/// refused      the file is not one that this process may use
enum class store_error : std::uint8_t { conflict, not_found, purged, full, unavailable, corrupt, refused };
[[nodiscard]] std::string_view to_string(store_error error);

struct store_failure {
  store_error what = store_error::unavailable;
  std::string detail{};  ///< what is wrong and, where somebody can do something, what to do
};

template <class T>
using stored = expected<T, store_failure>;

/// A prepared statement. Threads: as its database, which outlives it.
class statement {
 public:
  explicit statement(sqlite3_stmt* made) : made_(made) {}

  /// Binds the values of `?1`, `?2`, ... and runs it to its end, or to a row that nobody looks at.
  template <class... Values>
  [[nodiscard]] stored<void> run(const Values&... values) {
    begin(values...);
    const auto stepped = step();
    reset();
    if (!stepped) return unexpected(stepped.error());
    return {};
  }

  /// Binds; `step` brings the rows then. What the values view outlives that.
  template <class... Values>
  void begin(const Values&... values) {
    reset();
    int index = 0;
    (bind(++index, values), ...);
  }

  /// The next row: true where there is one. Its views hold until the next step.
  [[nodiscard]] stored<bool> step();
  void reset();

  [[nodiscard]] std::int64_t number(int column) const;
  [[nodiscard]] std::uint64_t natural(int column) const { return static_cast<std::uint64_t>(number(column)); }
  [[nodiscard]] std::string_view text(int column) const;
  [[nodiscard]] std::span<const std::byte> bytes(int column) const;
  [[nodiscard]] bool is_null(int column) const;

 private:
  struct closer {
    void operator()(sqlite3_stmt* made) const;
  };

  template <std::integral Integer>
  void bind(int index, Integer value) {
    bind_number(index, static_cast<std::int64_t>(value));
  }
  void bind(int index, std::string_view value) { bind_text(index, value); }
  void bind(int index, const std::string& value) { bind_text(index, value); }
  void bind(int index, const char* value) { bind_text(index, value); }
  void bind(int index, std::span<const std::byte> value) { bind_bytes(index, value); }
  template <class T>
  void bind(int index, const std::optional<T>& value) {
    if (value) bind(index, *value);  // without one it is null, as after a reset
  }
  void bind_number(int index, std::int64_t value);
  void bind_text(int index, std::string_view value);
  void bind_bytes(int index, std::span<const std::byte> value);
  void note(int code);

  std::unique_ptr<sqlite3_stmt, closer> made_;
  int first_error_ = 0;  // of a binding; told by the next step
};

/// The bytes of a text, as a key is stored.
[[nodiscard]] inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
/// The other way round.
[[nodiscard]] inline std::string_view text_of(std::span<const std::byte> bytes) {
  return {static_cast<const char*>(static_cast<const void*>(bytes.data())), bytes.size()};
}

enum class database_use : std::uint8_t { read, write, create };

/// A connection to an SQLite file. No result of the library is left unlooked at: a step whose failure nobody saw once
/// made rows differ from their history.
///
/// Threads: one at a time. Source: the C interface of SQLite 3.
class database {
 public:
  [[nodiscard]] static stored<database> open(const std::string& path, database_use how);

  /// Statements without values or rows, one behind the other.
  [[nodiscard]] stored<void> run(const char* statements);
  [[nodiscard]] stored<statement> prepare(std::string_view text);
  /// The first column of the first row as a number.
  template <class... Values>
  [[nodiscard]] stored<std::int64_t> number(std::string_view text, const Values&... values) {
    auto asked = prepare(text);
    if (!asked) return unexpected(asked.error());
    asked->begin(values...);
    const auto row = asked->step();
    if (!row) return unexpected(row.error());
    if (!*row) return unexpected(store_failure{store_error::not_found, "there is no such row"});
    return asked->number(0);
  }
  /// A statement with values and without rows.
  template <class... Values>
  [[nodiscard]] stored<void> run_with(std::string_view text, const Values&... values) {
    auto asked = prepare(text);
    if (!asked) return unexpected(asked.error());
    return asked->run(values...);
  }

  /// Ends whatever runs here, now or later, once `is_given_up` was set, by any thread: that is `unavailable`. It
  /// outlives the connection; null: nothing is ended any more.
  void end_on(const std::atomic<bool>* is_given_up);

  /// Copies all of it, as it is at one instant, into a file that is made or written over.
  [[nodiscard]] stored<void> copy_to(const std::string& path);

 private:
  struct closer {
    void operator()(sqlite3* open) const;
  };
  explicit database(sqlite3* open) : open_(open) {}

  std::unique_ptr<sqlite3, closer> open_;
};

/// Several statements as one: all that was written is taken back, unless `commit` said otherwise and succeeded.
class transaction {
 public:
  /// `for_writing`: waits for whoever else writes, and reads what he left.
  [[nodiscard]] static stored<transaction> begin(database& on, bool for_writing);
  transaction(transaction&& other) noexcept;
  transaction& operator=(transaction&&) = delete;
  ~transaction();
  [[nodiscard]] stored<void> commit();

 private:
  explicit transaction(database& on) : on_(&on) {}
  database* on_;
};

}  // namespace cellroute::control
