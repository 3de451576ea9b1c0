#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/control/api.hpp"
#include "adapters/control/api_access.hpp"
#include "adapters/control/api_target.hpp"
#include "adapters/control/write_pace.hpp"
#include "adapters/process/json_writer.hpp"
#include "adapters/wire/section.hpp"

/// What the handlers of the API share.
namespace cellroute::control {

struct api_state {
  api_state(registry& registry_of, api_settings with, api_surroundings near)
      : of(registry_of),
        settings(std::move(with)),
        around(near),
        pace(settings.version_interval, settings.version_burst) {}

  registry& of;
  api_settings settings;
  api_surroundings around;
  write_pace pace;
  std::string cluster{};       ///< as in the store, where it never changes
  std::mutex commands_lock{};  ///< of those who may repeat what is no publish: one at a time
  std::mutex tokens_lock{};
  std::vector<token_record> tokens{};  ///< as in the store: nobody else writes there
  std::mutex readers_lock{};
  std::vector<std::unique_ptr<store_reader>> readers{};  ///< those that nobody uses
};

/// What a body of JSON may have that is neither a configuration nor rows: 10,000 rows of the longest keys.
inline constexpr std::size_t json_body_max = std::size_t{8} << 20;

/// Of an answer that is written piece by piece: about so much at once.
inline constexpr std::size_t answer_piece_bytes = 60'000;

/// Connections of the store that are kept for the next request.
inline constexpr std::size_t idle_readers_max = 8;

/// A connection to read the store with, given back in the end.
class lent_reader {
 public:
  [[nodiscard]] static stored<lent_reader> take(api_state& from);
  lent_reader(lent_reader&&) noexcept = default;
  lent_reader& operator=(lent_reader&&) = delete;
  ~lent_reader();
  store_reader* operator->() { return open_.get(); }
  store_reader& operator*() { return *open_; }

 private:
  lent_reader(api_state& from, std::unique_ptr<store_reader> open) : from_(from), open_(std::move(open)) {}
  api_state& from_;
  std::unique_ptr<store_reader> open_;
};

/// One request on its way through a handler.
struct call {
  api_state& state;
  const request& asked;
  wall_time now{};
  target_parts target{};
  std::vector<std::string> params{};  ///< of the path, in their order
  principal who{};
  std::optional<idempotency_key> once{};
  std::string message{};  ///< where a body said it

  [[nodiscard]] const std::string& param(std::size_t index) const { return params[index]; }
  [[nodiscard]] bool is_dry_run() const;
};

// Answers.

[[nodiscard]] answer json_answer(std::uint16_t status, std::string body);
/// A problem document. `code` is what a program looks at; `more` are further members, with a comma in front of each.
[[nodiscard]] answer problem_answer(std::uint16_t status, std::string_view code, std::string_view detail,
                                    const wire::diagnostics& mistakes = {}, std::string_view more = {});
[[nodiscard]] answer problem_answer(const problem& why);
[[nodiscard]] answer problem_answer(const store_failure& why);
[[nodiscard]] inline answer bad_request(std::string_view detail) { return problem_answer(400, "syntax", detail); }

/// An answer that says which request it is to.
[[nodiscard]] answer traced(answer made, std::string_view trace);

/// What a problem document has in `more`, where one key is at fault.
[[nodiscard]] std::string key_member(std::string_view key);

/// 413: a body is larger than it may be here.
[[nodiscard]] answer too_large_answer(std::size_t body_max);

/// 429: not so soon. Whole seconds, at least one.
[[nodiscard]] answer too_fast_answer(duration wait);

/// At most so many mistakes are told.
inline constexpr std::size_t mistakes_told_max = 100;

/// `3.42`, without the quotes of an ETag.
[[nodiscard]] std::string tag_of(const store_head& head);
[[nodiscard]] std::string tag_of(std::uint64_t epoch, std::uint64_t version);
void add_tag(answer& to, std::string_view tag);

/// What connected routers run; nothing where nobody can tell now.
[[nodiscard]] std::optional<running_fleet> running_now(const call& c, std::size_t ids_max = 0);

/// Where a version runs, as it is told with it.
struct whereabouts {
  std::size_t routers = 0;
  std::optional<std::vector<std::string>> ids{};  ///< the first, where it is about one version
};
void write_version(process::json_writer& out, const version_record& v, const whereabouts* runs = nullptr);
void write_radius(process::json_writer& out, const blast_radius& radius);

// What is asked.

/// A number in the query, within bounds; `otherwise` where it is not there. Nothing where it is none.
[[nodiscard]] std::optional<std::uint64_t> number_in(const call& c, std::string_view name, std::uint64_t otherwise,
                                                     std::uint64_t low, std::uint64_t high);
/// In front of the name of a router's label, where routers are asked for.
inline constexpr std::string_view label_query = "label.";
/// `limit`, 100 unless written, at most 10,000, and `cursor`.
struct paging {
  std::size_t limit = 100;
  std::string cursor{};
};
[[nodiscard]] expected<paging, answer> paging_of(const call& c);
[[nodiscard]] std::string cursor_of(std::string_view last);
/// The cursor of a list that goes by numbers; 0 where there is none. Errors: 400.
[[nodiscard]] expected<page, answer> number_page(const call& c);
[[nodiscard]] std::string cursor_of(std::uint64_t last);

/// The key that is at fault, as long as it is one.
class one_key {
 public:
  void add(std::string_view key) {
    is_one_ = !has_any_ || (is_one_ && key == key_);
    if (!has_any_) key_ = key;
    has_any_ = true;
  }
  /// Empty where there is none, or are several.
  [[nodiscard]] std::string_view name() const { return is_one_ ? std::string_view(key_) : std::string_view(); }

 private:
  std::string key_;
  bool has_any_ = false;
  bool is_one_ = false;
};

/// The body as JSON. Errors: 400 with the place.
[[nodiscard]] expected<wire::node, answer> json_body(const call& c);
/// Why no row may have a key, or nothing. Files may have keys of any bytes; what is told in JSON cannot come back so.
[[nodiscard]] std::optional<std::string> key_mistake(std::string_view key);
/// What was wrong with a body, as it was read section by section, and with which key, if it is one: 422.
[[nodiscard]] answer mistakes_answer(wire::mistake_list& found, std::string_view key = {});

// Writing.

/// What is answered to a request instead of doing it, or nothing: what was answered before to its `Idempotency-Key`;
/// that `If-Match` and `If-None-Match` are not of the tags that what it changes has. `row_tag` is empty where there is
/// no such thing. `keys` are those that it names. To be called in the turn in which it is done: then whoever repeats
/// himself meanwhile waits for the first answer.
[[nodiscard]] std::optional<answer> check_preconditions(const call& c, const active_content& now,
                                                        std::string_view row_tag, bool is_there,
                                                        std::span<const std::string_view> keys = {});

/// The answer that a request with that `Idempotency-Key` got before, or why it gets none; nothing where it is the
/// first.
[[nodiscard]] std::optional<answer> replay(const call& c, store_reader& from);
[[nodiscard]] std::optional<answer> replay(const call& c);
/// Lets answers go that are older than they are kept.
[[nodiscard]] stored<void> forget_answers(const call& c, store& of);

/// Guards, dry run, publish, answer, in a turn in which `check_preconditions` let it pass.
[[nodiscard]] answer finish_change(const call& c, registry::turn& turn, expected<next_content, problem> next,
                                   std::string_view action, std::uint16_t status = 200, std::size_t quarantined = 0,
                                   std::optional<std::uint64_t> rollback_of = {});
/// The guards that a request lifts by their names, with commas between; empty where it lifts none. Errors: 400.
[[nodiscard]] expected<std::string, answer> lifted_guards(const call& c);
/// The answer to a publish: a function of the version alone, so that it can be given again.
[[nodiscard]] answer version_answer(const version_record& v, std::uint16_t status, std::size_t quarantined = 0);

/// Whether whoever is bound to some keys may change these; else 403. To be asked before anything is told of them.
[[nodiscard]] std::optional<answer> check_bounds(const call& c, const key_table& rows, const row_changes& some);

// Routes.

/// What kind of body a route takes.
enum class body_kind : std::uint8_t { none, json, config, rows };

struct route_row {
  std::string_view method;
  std::string_view pattern;
  scope needs;
  body_kind body;
  answer (*handle)(call&);
  bool is_from_memory = false;           ///< it is answered when the store cannot be read, too
  for_bound bound = for_bound::refused;  ///< unless somebody has looked at what it tells
};
[[nodiscard]] std::span<const route_row> api_routes();

/// The parameters that a route may have in its query, as openapi.json names them. Threads: any.
[[nodiscard]] std::span<const std::string> query_names_of(const route_row& route);

// The handlers, by file.
answer get_config(call& c);
answer put_config(call& c);
answer list_placements(call& c);
answer patch_placement(call& c);
answer get_placement(call& c);
answer put_placement(call& c);
answer delete_placement(call& c);
answer get_endpoint(call& c);
answer put_endpoint(call& c);
answer patch_endpoint(call& c);
answer delete_endpoint(call& c);
answer list_keys(call& c);
answer get_key(call& c);
answer put_key(call& c);
answer delete_key(call& c);
answer patch_keys(call& c);
answer import_keys(call& c);
answer export_keys(call& c);
answer key_history(call& c);
answer resolve_keys(call& c);
answer list_versions(call& c);
answer get_version(call& c);
answer diff_versions(call& c);
answer roll_back(call& c);
answer list_audit(call& c);
answer verify_audit(call& c);
answer list_tokens(call& c);
answer add_token(call& c);
answer get_token(call& c);
answer delete_token(call& c);
answer list_routers(call& c);
answer get_router(call& c);
answer resync_router(call& c);
answer dismiss_router(call& c);
answer get_drift(call& c);
answer watch_events(call& c);
answer retry_file(call& c);
answer get_info(call& c);
answer get_contract(call& c);
answer get_backup(call& c);

}  // namespace cellroute::control
