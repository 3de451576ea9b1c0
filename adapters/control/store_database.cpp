#include "adapters/control/store_database.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <utility>

namespace cellroute::control {
namespace {

constexpr int wait_ms = 5'000;

store_error error_of(int code) {
  switch (code & 0xff) {  // the lower byte is the kind, what is above says more of it
    case SQLITE_FULL:
      return store_error::full;
    case SQLITE_CORRUPT:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
      return store_error::corrupt;
    case SQLITE_NOTADB:
      return store_error::refused;
    default:
      return store_error::unavailable;
  }
}

store_failure failure_of(int code, sqlite3* in) {
  const char* said = in != nullptr ? sqlite3_errmsg(in) : sqlite3_errstr(code);
  return {error_of(code), fmt::format("the store: {} (SQLite {})", said, code)};
}

}  // namespace

std::string_view to_string(store_error error) {
  switch (error) {
    case store_error::conflict:
      return "conflict";
    case store_error::not_found:
      return "not_found";
    case store_error::purged:
      return "purged";
    case store_error::full:
      return "full";
    case store_error::unavailable:
      return "unavailable";
    case store_error::corrupt:
      return "corrupt";
    case store_error::refused:
      return "refused";
  }
  return {};
}

void statement::closer::operator()(sqlite3_stmt* made) const { (void)sqlite3_finalize(made); }

void statement::note(int code) {
  if (code != SQLITE_OK && first_error_ == SQLITE_OK) first_error_ = code;
}

void statement::bind_number(int index, std::int64_t value) { note(sqlite3_bind_int64(made_.get(), index, value)); }

void statement::bind_text(int index, std::string_view value) {
  const char* at = value.data() != nullptr ? value.data() : "";  // a null pointer would be no text at all
  note(sqlite3_bind_text64(made_.get(), index, at, value.size(), SQLITE_STATIC, SQLITE_UTF8));
}

void statement::bind_bytes(int index, std::span<const std::byte> value) {
  const void* at = value.data() != nullptr ? static_cast<const void*>(value.data()) : "";
  note(sqlite3_bind_blob64(made_.get(), index, at, value.size(), SQLITE_STATIC));
}

stored<bool> statement::step() {
  const int code = first_error_ != SQLITE_OK ? first_error_ : sqlite3_step(made_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return unexpected(failure_of(code, sqlite3_db_handle(made_.get())));
}

void statement::reset() {
  (void)sqlite3_reset(made_.get());  // says once more what the step said
  note(sqlite3_clear_bindings(made_.get()));
}

std::int64_t statement::number(int column) const { return sqlite3_column_int64(made_.get(), column); }

std::string_view statement::text(int column) const {
  const auto* at = sqlite3_column_text(made_.get(), column);
  if (at == nullptr) return {};
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(made_.get(), column));
  return {static_cast<const char*>(static_cast<const void*>(at)), size};
}

std::span<const std::byte> statement::bytes(int column) const {
  const auto* at = static_cast<const std::byte*>(sqlite3_column_blob(made_.get(), column));
  if (at == nullptr) return {};
  return {at, static_cast<std::size_t>(sqlite3_column_bytes(made_.get(), column))};
}

bool statement::is_null(int column) const { return sqlite3_column_type(made_.get(), column) == SQLITE_NULL; }

void database::closer::operator()(sqlite3* open) const { (void)sqlite3_close_v2(open); }

stored<database> database::open(const std::string& path, database_use how) {
  const int access = how == database_use::read     ? SQLITE_OPEN_READONLY
                     : how == database_use::create ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                                                   : SQLITE_OPEN_READWRITE;
  sqlite3* handle = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &handle, access | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  database made(handle);  // there is one to be closed even where it failed
  if (code != SQLITE_OK) {
    store_failure why = failure_of(code, handle);
    why.detail = path + ": " + why.detail;
    return unexpected(std::move(why));
  }
  (void)sqlite3_busy_timeout(handle, wait_ms);
  return made;
}

stored<void> database::run(const char* statements) {
  const int code = sqlite3_exec(open_.get(), statements, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return unexpected(failure_of(code, open_.get()));
  return {};
}

stored<statement> database::prepare(std::string_view text) {
  sqlite3_stmt* made = nullptr;
  const int code = sqlite3_prepare_v2(open_.get(), text.data(), static_cast<int>(text.size()), &made, nullptr);
  if (code != SQLITE_OK) return unexpected(failure_of(code, open_.get()));
  return statement(made);
}

void database::end_on(const std::atomic<bool>* is_given_up) {
  constexpr int steps_between_looks = 10'000;  // of SQLite's machine: its instructions
  const auto look = [](void* flag) {
    return static_cast<const std::atomic<bool>*>(flag)->load(std::memory_order_relaxed) ? 1 : 0;
  };
  void* const flag = const_cast<std::atomic<bool>*>(is_given_up);  // the library's way to pass anything
  sqlite3_progress_handler(open_.get(), is_given_up != nullptr ? steps_between_looks : 0,
                           is_given_up != nullptr ? +look : nullptr, flag);
}

stored<void> database::copy_to(const std::string& path) {
  auto copy = open(path, database_use::create);
  if (!copy) return unexpected(copy.error());
  sqlite3* to = copy->open_.get();
  sqlite3_backup* work = sqlite3_backup_init(to, "main", open_.get(), "main");
  if (work == nullptr) return unexpected(failure_of(sqlite3_extended_errcode(to), to));
  const int stepped = sqlite3_backup_step(work, -1);  // all at once: this connection writes nothing meanwhile
  const int finished = sqlite3_backup_finish(work);
  if (finished != SQLITE_OK) return unexpected(failure_of(finished, to));
  if (stepped != SQLITE_DONE) return unexpected(failure_of(stepped, nullptr));
  return {};
}

stored<transaction> transaction::begin(database& on, bool for_writing) {
  const auto begun = on.run(for_writing ? "BEGIN IMMEDIATE" : "BEGIN");
  if (!begun) return unexpected(begun.error());
  return transaction(on);
}

transaction::transaction(transaction&& other) noexcept : on_(std::exchange(other.on_, nullptr)) {}

transaction::~transaction() {
  // Where an error has taken it back already, there is nothing to take back, which is what is wanted.
  if (on_ != nullptr) (void)on_->run("ROLLBACK");
}

stored<void> transaction::commit() {
  const auto done = on_->run("COMMIT");
  if (done) on_ = nullptr;
  return done;
}

}  // namespace cellroute::control
