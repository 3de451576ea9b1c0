#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/wire/node.hpp"
#include "tests/support/scratch_folder.hpp"
#include "tests/system/support/fake_cell.hpp"
#include "tests/system/support/full_backlog.hpp"
#include "tests/system/support/programs.hpp"
#include "tests/system/support/router_process.hpp"

namespace cellroute::system_test {

/// How long a run looks on before it says that nothing happened. What does happen is set to 100 ms or less.
inline const steady::duration look = is_sanitized() ? 4s : 1500ms;

/// What a cell of these runs does, by the target it is asked for.
///
/// /silent  never answers         /stops   answers four bytes of twenty
/// /later   answers after 200 ms  /late    answers after a second
/// all else answers at once, with the head that it saw as content
struct obedient {
  std::string name;
  void operator()(cell_connection& c) const;
};

/// The configuration of every run, before a field of it is set: `acme` leads to `tier1`, which is cell one; `celled` to
/// a placement whose cell stands under `cells`, which is cell one, too; all others to `tier3`, which is cell two.
/// Beside it lie key files: `keys.tsv` assigns `filed` to tier1, `thousand.tsv` a thousand keys to tier1, `moved.tsv`
/// to tier3.
[[nodiscard]] wire::node base_configuration();

/// Reads a piece of YAML; the test fails where it is none.
[[nodiscard]] wire::node read_piece(std::string_view yaml);

/// Lays one tree over another: maps are merged, a member without value is taken out, all else is replaced.
void lay_over(wire::node& below, const wire::node& above);

/// Sets the field of a general path, `*` being the first member and `[]` the first item; null takes it out.
void set_field(wire::node& tree, std::string_view path, const std::optional<wire::node>& value);

/// A router that runs with one configuration, and its cells. It ends with the object, and must then end well.
class field_run {
 public:
  explicit field_run(const wire::node& tree);
  field_run(const field_run&) = delete;
  field_run& operator=(const field_run&) = delete;
  ~field_run();

  /// The configuration with the ports put in, as it was written.
  [[nodiscard]] const std::string& text() const { return text_; }

  // What rows ask. The key is that of `acme` where nothing else is said.
  [[nodiscard]] client connect() const { return client(web_); }
  [[nodiscard]] message get(std::string_view target = "/", std::string_view fields = "") const;
  [[nodiscard]] message get_as(std::string_view key) const;
  [[nodiscard]] message admin(std::string_view method_and_target) const;
  /// The status of what comes within `look`, or `silence`.
  [[nodiscard]] std::string status_within_look(client& c) const;
  [[nodiscard]] std::string status_of(std::string_view request_bytes) const;
  /// `ended` or `open`, whatever comes before.
  [[nodiscard]] std::string end_within_look(client& c) const;
  /// The names of the cells that answer four requests.
  [[nodiscard]] std::string cells_of(std::string_view key) const;
  /// How many connections three requests in a row make to the first cell.
  [[nodiscard]] std::string connections_of_three_requests() const;
  /// A member of the access line of a request.
  [[nodiscard]] std::string access_field(std::string_view name, std::string_view key = "acme");
  /// Lays a piece of YAML over the configuration and writes the file anew.
  void edit(std::string_view yaml);
  /// `applied` when a further generation becomes current within `look`, else `not yet`.
  [[nodiscard]] std::string applied_within_look() const;
  /// Which of 127.0.0.1 and 127.0.0.2 takes connections on a port of the router; `nowhere` is neither.
  [[nodiscard]] static std::string host_that_listens(std::uint16_t port);
  /// What comes of POST /v1/reload: `applied`, `unchanged` or `refused`.
  [[nodiscard]] std::string reload() const;
  /// What the router says first to a control plane, which appears where none was before.
  [[nodiscard]] std::string hello() const;
  /// A control plane of the base protocol appears there, and has all keys go where nobody listens: what is said to it.
  [[nodiscard]] std::string push_a_dead_end(int version = 1) const;
  [[nodiscard]] program& process() { return *process_; }
  [[nodiscard]] fake_cell<obedient>& first_cell() { return one_; }
  [[nodiscard]] std::uint16_t web() const { return web_; }
  [[nodiscard]] std::uint16_t admin_port() const { return admin_; }

 private:
  [[nodiscard]] std::string with_ports(std::string text) const;
  void start();

  fake_cell<obedient> one_{obedient{"one"}};
  fake_cell<obedient> two_{obedient{"two"}};
  closed_port closed_;
  full_backlog full_;
  wire::node tree_;
  support::scratch_folder folder_;
  std::uint16_t web_ = 0;
  std::uint16_t admin_ = 0;
  std::string text_;
  std::optional<program> process_;
};

}  // namespace cellroute::system_test
