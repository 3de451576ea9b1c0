#include "adapters/wire/configuration.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <memory>
#include <system_error>
#include <unordered_map>
#include <unordered_set>

#include "adapters/wire/access_fields.hpp"
#include "adapters/wire/field_names.hpp"
#include "adapters/wire/fleet.hpp"
#include "adapters/wire/foreign_shape.hpp"
#include "adapters/wire/regex_compiler.hpp"
#include "adapters/wire/schema.hpp"
#include "cellroute/base/ascii.hpp"
#include "cellroute/match/routing_key.hpp"
#include "cellroute/table/validate.hpp"

namespace cellroute::wire {
namespace {

/// A rule about local sections, or about both kinds: what no single field can know.
using local_rule = void (*)(const configuration&, violations&);

std::string listener_path(std::size_t index, std::string_view field) {
  return fmt::format("listeners[{}].{}", index, field);
}

/// What was written at a path of names, or null.
const node* find_at(const node& root, std::initializer_list<std::string_view> names) {
  const node* at = &root;
  for (const std::string_view name : names) {
    if (at != nullptr) at = at->find(name);
  }
  return at;
}

void listeners_have_names_of_their_own(const configuration& c, violations& found) {
  const auto& listeners = c.local.listeners;
  for (std::size_t i = 1; i < listeners.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      if (listeners[i].name != listeners[k].name) continue;
      if (find_at(c.source, {"listeners"})->children[i].find("name") == nullptr) {
        found.push_back({listener_path(i, "name"),
                         fmt::format("is missing, and listeners[{}] is called {} already; give each a name of its own",
                                     k, quote(listeners[i].name))});
        break;
      }
      found.push_back({listener_path(i, "name"), fmt::format("{} is the name of listeners[{}], too; give each its own",
                                                             quote(listeners[i].name), k)});
      break;
    }
  }
}

using address_bytes = std::array<std::uint8_t, 16>;

/// Any spelling of one address gives the same bytes; IPv4 as the system maps it into IPv6.
address_bytes bytes_of(const std::string& host) {
  address_bytes bytes{};
  if (::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1) return bytes;
  bytes[10] = bytes[11] = 0xff;
  ::inet_pton(AF_INET, host.c_str(), bytes.data() + 12);
  return bytes;
}

/// Whether a socket on `a` takes what is sent to `b`. `::` does so for both families, and so does no host at all.
bool covers(const address_bytes& a, const address_bytes& b) {
  static const address_bytes every = bytes_of("::");
  static const address_bytes every_v4 = bytes_of("0.0.0.0");
  return a == b || a == every || (a == every_v4 && std::equal(b.begin(), b.begin() + 12, every_v4.begin()));
}

/// Two sockets cannot share a port unless each has an address of its own.
bool collide(const socket_address& a, const socket_address& b) {
  if (a.port == 0 || a.port != b.port) return false;
  const address_bytes first = bytes_of(a.host.empty() ? "::" : a.host);
  const address_bytes second = bytes_of(b.host.empty() ? "::" : b.host);
  return covers(first, second) || covers(second, first);
}

void addresses_do_not_collide(const configuration& c, violations& found) {
  const auto& listeners = c.local.listeners;
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    const std::string path = listener_path(i, "address");
    for (std::size_t k = 0; k < i; ++k) {
      if (!collide(listeners[i].address, listeners[k].address)) continue;
      found.push_back({path, fmt::format("listeners[{}] has that port already; choose another", k)});
      break;
    }
    if (!collide(listeners[i].address, c.local.admin.address)) continue;
    found.push_back({path, fmt::format("admin.address, {}, has that port already; choose another",
                                       to_string(c.local.admin.address))});
  }
}

void one_field_fits_into_a_head(const configuration& c, violations& found) {
  const std::string field = print_size(c.local.http.field_bytes_max);
  const std::string head = print_size(c.local.http.head_bytes_max);
  if (c.local.http.field_bytes_max <= c.local.http.head_bytes_max) return;
  if (find_at(c.source, {"http", "max_field_bytes"}) != nullptr) {
    found.push_back({"http.max_field_bytes",
                     fmt::format("must not be larger than max_header_bytes, which is {}, not {}", head, field)});
  } else {  // a default, at which nobody could look
    found.push_back(
        {"http.max_header_bytes",
         fmt::format("must not be smaller than max_field_bytes, which is {} unless written, not {}", field, head)});
  }
}

void key_and_request_id_have_headers_of_their_own(const configuration& c, violations& found) {
  if (!equal_ignoring_case(c.key.header, c.local.http.request_id.header)) return;
  // The name of the key's header was written for sure: its default is no name for a request id.
  found.push_back(
      {"key.sources[0].header.name", "is the header of the request id, too; choose another for one of them"});
}

void access_fields_are_of_their_preset(const configuration& c, violations& found) {
  const access_settings& access = c.local.log.access;
  const std::span<const std::string_view> known = access_field_names(access.preset);
  for (std::size_t i = 0; i < access.fields.size(); ++i) {
    const std::string& name = access.fields[i];
    const std::string path = fmt::format("log.access.fields[{}]", i);
    const auto first = std::ranges::find(access.fields, name);
    if (const auto at = static_cast<std::size_t>(first - access.fields.begin()); at != i) {
      found.push_back({path, fmt::format("{} is fields[{}], too; name it once", quote(name), at)});
    } else if (std::ranges::find(known, name) == known.end()) {
      std::string hint = suggestion(name, known);
      if (hint.empty()) hint = fmt::format("; it has {}", fmt::join(known, ", "));
      found.push_back({path, fmt::format("{} is no field of this preset{}", quote(name), hint)});
    }
  }
}

void control_plane_has_an_address(const configuration& c, violations& found) {
  if (!c.local.control_plane || !c.local.control_plane->urls.empty()) return;
  found.push_back({"control_plane.urls", "must have at least one item"});
}

void waits_grow(const configuration& c, violations& found) {
  if (!c.local.control_plane || !c.local.control_plane->backoff) return;
  const backoff_settings& backoff = *c.local.control_plane->backoff;
  if (backoff.max >= backoff.min) return;
  found.push_back({"control_plane.backoff.max",
                   fmt::format("must not be shorter than min, which is {}", print_duration(backoff.min))});
}

/// As staged rollouts will choose by it.
void ring_is_a_name(const configuration& c, violations& found) {
  if (!c.local.control_plane) return;
  const std::string& ring = c.local.control_plane->ring;
  constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  if (ring.size() <= 64 && ring.find_first_not_of(allowed) == std::string::npos) return;
  found.push_back({"control_plane.ring", "must be a name of at most 64 letters, digits, - _ and ."});
}

constexpr local_rule local_rules[] = {listeners_have_names_of_their_own,
                                      addresses_do_not_collide,
                                      one_field_fits_into_a_head,
                                      key_and_request_id_have_headers_of_their_own,
                                      access_fields_are_of_their_preset,
                                      control_plane_has_an_address,
                                      waits_grow,
                                      ring_is_a_name};

/// A field that could not be read leaves a gap that a rule would complain about again: the first complaint is enough.
class first_complaints {
 public:
  first_complaints(const diagnostics& found, const path_index& places) : places_(places) {
    for (const diagnostic& d : found) {
      at_.insert(d.path);
      for (std::string_view path = d.path; !path.empty(); path = places_.outer(path)) around_.emplace(path);
    }
    at_.erase("");  // the text as a whole explains nothing in particular
  }

  /// Whether something is wrong with what stands at that very path.
  [[nodiscard]] bool is_at(const std::string& path) const { return at_.contains(path); }

  [[nodiscard]] bool explain(std::string_view path) const {
    // An endpoint stands or falls as a whole: its id may come from its URL.
    const std::size_t item = path.find(".endpoints[");
    if (item != std::string_view::npos) path = path.substr(0, path.find(']', item) + 1);
    if (around_.contains(std::string(path))) return true;
    // What a placement leads to depends on its kind.
    const bool is_target = path.ends_with(".cell") || path.ends_with(".endpoints");
    if (is_target && at_.contains(std::string(places_.outer(path)) + ".kind")) return true;
    // Which fields there are depends on the preset.
    if (path.starts_with("log.access.fields[") && at_.contains("log.access.preset")) return true;
    for (; !path.empty(); path = places_.outer(path)) {
      if (at_.contains(std::string(path))) return true;
    }
    return false;
  }

 private:
  const path_index& places_;  // outlives this
  std::unordered_set<std::string> at_;
  std::unordered_set<std::string> around_;
};

/// The core knows hosts and ports where the operator writes one URL.
std::string as_written(std::string path) {
  for (const std::string_view part : {"].host", "].port"}) {
    if (path.ends_with(part)) path.replace(path.size() - part.size(), part.size(), "].url");
  }
  return path;
}

/// A path as the file has it.
std::string path_of_file(const configuration& c, std::string path) {
  path = as_written(std::move(path));
  return c.shape != nullptr ? path_in(*c.shape, std::move(path)) : path;
}

void use_paths_of_file(const configuration& c, violations& found) {
  for (violation& v : found) v.path = path_of_file(c, std::move(v.path));
}

/// Where nothing was read, there are no names: that others lead nowhere then is no mistake of theirs.
bool leads_into_gap(const configuration& c, const violation& v, bool no_placements, bool no_cells) {
  const bool names_default = v.path == "routing.default_placement" && !c.spec.default_placement.value.empty();
  const bool is_row = v.path.starts_with("routing.rules[") || v.path.starts_with("routing.canary[") ||
                      v.path.starts_with("routing.override[");
  if (no_placements && (names_default || is_row)) return true;
  const bool is_cell = v.path.ends_with(".cell") || v.path.find(".cells[") != std::string::npos;
  return no_cells && v.path.starts_with("placements.") && is_cell;
}

void append_located(diagnostics& out, const configuration& c, const path_index& places, violations found) {
  for (violation& v : found) {
    const position at = places.find(v.path);
    out.push_back({c.file, at.line, at.column, std::move(v.path), std::move(v.what)});
  }
}

/// What is to be said of a spec of which the rest is still to come.
bool waits_for_routing(const violation& v) { return v.path == "placements" || v.path.starts_with("routing"); }

void run_rules(const configuration& c, diagnostics& found) {
  violations broken = validate(c.spec, by_re2);
  if (!c.has_routing) std::erase_if(broken, waits_for_routing);
  for (const local_rule check : local_rules) check(c, broken);
  if (broken.empty()) return;
  const path_index places(c.source);
  const first_complaints first(found, places);
  const bool no_placements = first.is_at(path_of_file(c, "placements"));
  const bool no_cells = first.is_at("cells");
  std::erase_if(broken, [&](const violation& v) { return leads_into_gap(c, v, no_placements, no_cells); });
  use_paths_of_file(c, broken);
  std::erase_if(broken, [&first](const violation& v) { return first.explain(v.path); });
  append_located(found, c, places, std::move(broken));
}

/// Rows of a map that was given before were taken, too. That it is given twice is all that is wrong with them.
void drop_rows_given_again(const inline_keys& keys, const diagnostics& given_twice, diagnostics& of_rows) {
  for (const diagnostic& again : given_twice) {
    if (keys.path != again.path && !keys.path.starts_with(again.path + ".")) continue;
    const position begin{again.line, again.column};
    std::erase_if(of_rows, [begin](const diagnostic& d) { return position{d.line, d.column} > begin; });
  }
}

/// `more` were not even kept.
void sort_and_cut(diagnostics& found, std::size_t more = 0) {
  sort_by_place(found);
  if (found.size() <= mistakes_max) return;
  more += found.size() - mistakes_max;
  found.resize(mistakes_max);
  diagnostic last = found.back();
  last.path.clear();
  last.what = fmt::format("{} more mistakes follow; correct these first", more);
  found.push_back(std::move(last));
}

struct file_closer {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

/// Rows of the tree that were taken out because their keys were given before.
void quarantine_repeated(configuration& c, diagnostics& given_twice) {
  if (given_twice.empty()) return;
  std::unordered_map<std::string, std::string_view> key_of;
  for (const key_row& row : c.inline_keys.rows) key_of.emplace(row_path(c.inline_keys, row.key), row.key);
  std::erase_if(given_twice, [&](diagnostic& told) {
    const auto row = key_of.find(told.path);
    if (row == key_of.end()) return false;
    c.quarantined.add(std::move(told), row->second);
    return true;
  });
}

}  // namespace

void read_sections(configuration& c, mistake_list& mistakes) {
  section top(c.source, "", mistakes);
  top.fixed("apiVersion", "cellroute/v1");
  read_fleet(top, c);
  describe(top, c.local);
}

namespace {

/// Whether there are empty lines and comments only.
bool holds_nothing(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::size_t first = text.substr(0, end).find_first_not_of(" \t\r");
    if (first != std::string_view::npos && text[first] != '#') return false;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return true;
}

node empty_map() {
  node made;
  made.kind = node_kind::map;
  return made;
}

enum class text_source : std::uint8_t { file, told_file, file_beside_another, message };

expected<configuration, diagnostics> read_text(std::unique_ptr<const std::string> text, std::string_view file_name,
                                               text_source source) {
  configuration c;
  c.file = file_name;
  c.text = std::move(text);
  c.inline_keys.text = without_mark(*c.text);
  inline_row_reader rows(c.inline_keys);
  // Whom a control plane tells all needs to say nothing.
  const bool may_be_empty = source == text_source::told_file && holds_nothing(*c.text);
  auto tree = may_be_empty ? expected<node, diagnostics>(empty_map()) : read_tree(*c.text, file_name, &rows);
  if (!tree) return unexpected(std::move(tree).error());
  c.source = *std::move(tree);
  diagnostics given_twice = take_duplicates(c.source, file_name);

  mistake_list mistakes(file_name);
  c.shape = shape_of(c.source);
  if (c.shape != nullptr) {
    if (source == text_source::message) c.ignored = take_unknown_members(*c.shape, c.source);
    c.defaults = policy_of(*c.shape);
    read_foreign(*c.shape, c.source, c.spec, c.inline_keys, mistakes);
  } else {
    read_sections(c, mistakes);
    const bool is_told = source == text_source::told_file || source == text_source::file_beside_another ||
                         c.local.control_plane.has_value();
    c.has_routing = !is_told || c.source.find("routing") != nullptr;
  }
  diagnostics& found = mistakes.found();
  if (c.source.kind == node_kind::map) run_rules(c, found);
  if (c.on_invalid_row == invalid_row_policy::quarantine) quarantine_repeated(c, given_twice);
  const std::string placements = path_of_file(c, "placements");
  const bool placements_are_known = std::ranges::find(found, placements, &diagnostic::path) == found.end();
  row_mistakes of_rows = bind_rows(c.inline_keys, c.spec.placements, file_name, placements_are_known, quarantine_of(c));
  drop_rows_given_again(c.inline_keys, given_twice, of_rows.found);
  std::ranges::move(of_rows.found, std::back_inserter(found));
  std::ranges::move(given_twice, std::back_inserter(found));
  if (found.empty()) return c;
  sort_and_cut(found, of_rows.more);
  return unexpected(std::move(found));
}

}  // namespace

expected<configuration, diagnostics> read_configuration(std::unique_ptr<const std::string> text,
                                                        std::string_view file_name, bool has_control_plane,
                                                        bool may_lack_routing) {
  const text_source alone = may_lack_routing ? text_source::file_beside_another : text_source::file;
  return read_text(std::move(text), file_name, has_control_plane ? text_source::told_file : alone);
}

expected<configuration, diagnostics> read_configuration(std::string_view text, std::string_view file_name) {
  return read_configuration(std::make_unique<const std::string>(text), file_name);
}

expected<configuration, diagnostics> read_message_of_maps(std::string_view text, std::string_view file_name) {
  return read_text(std::make_unique<const std::string>(text), file_name, text_source::message);
}

std::string path_from_file(const configuration& c, const std::string& written) {
  return (std::filesystem::path(c.file).parent_path() / written).string();  // an absolute path replaces the folder
}

std::optional<std::string> state_folder_of(const configuration& c) {
  if (is_off(c.local.process.state_dir)) return std::nullopt;
  return path_from_file(c, c.local.process.state_dir);
}

bool is_loopback(const socket_address& address) { return address.host.starts_with("127.") || address.host == "::1"; }

diagnostics find_warnings(const configuration& c, wall_time now) {
  violations doubtful;
  std::vector<std::size_t> rows;
  std::vector<std::string_view> said;
  for (std::size_t i = 0; i < c.inline_keys.rows.size(); ++i) {
    const std::string_view key = c.inline_keys.rows[i].key;
    const auto as_sent = read_named_key(key);
    if (key.find(',') != std::string_view::npos) {
      said.push_back("no request reaches a key with a comma: a header with a list is answered 400");
    } else if (!as_sent || *as_sent != key) {
      said.push_back("no request reaches a key with control characters or with spaces around it");
    } else {
      continue;
    }
    rows.push_back(i);
  }
  for (std::size_t i = 0; i < c.spec.canaries.size(); ++i) {
    const canary& row = c.spec.canaries[i];
    if (row.percent == 0 && row.keys.empty()) {
      doubtful.push_back({fmt::format("routing.canary[{}]", i), "takes no key: percent is 0, and no key is listed"});
    }
  }
  for (std::size_t i = 0; i < c.spec.overrides.size(); ++i) {
    const std::optional<wall_time>& until = c.spec.overrides[i].until;
    if (!until || *until > now) continue;
    doubtful.push_back(
        {fmt::format("routing.override[{}].until", i), "is over: the override acts no longer; remove it"});
  }
  if (!is_loopback(c.local.admin.address)) {
    doubtful.push_back({"admin.address", "more than this machine may reach it, and nobody is asked for a password"});
  }
  if (expects_health_checks(c)) {
    doubtful.push_back({"placements",
                        "each endpoint of such a file is asked for /health every 10s where it comes from; "
                        "health checks are not active here yet"});
  }
  use_paths_of_file(c, doubtful);
  diagnostics found;
  const std::vector<position> at = places_of(c.inline_keys, rows);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    found.push_back({c.file, at[i].line, at[i].column, row_path(c.inline_keys, c.inline_keys.rows[rows[i]].key),
                     std::string(said[i])});
  }
  if (!doubtful.empty()) append_located(found, c, path_index(c.source), std::move(doubtful));
  sort_and_cut(found);
  return found;
}

bool expects_health_checks(const configuration& c) { return c.shape != nullptr && c.shape->checks_health_unasked; }

diagnostic locate(const configuration& c, std::string path, std::string what) {
  diagnostics one;
  violations broken{{std::move(path), std::move(what)}};
  use_paths_of_file(c, broken);
  append_located(one, c, path_index(c.source), std::move(broken));
  return std::move(one.front());
}

expected<std::string, file_error> read_file(const std::string& path, std::size_t bytes_max) {
  const std::unique_ptr<std::FILE, file_closer> file(std::fopen(path.c_str(), "rb"));
  if (!file) return unexpected(errno == ENOENT || errno == ENOTDIR ? file_error::missing : file_error::unreadable);
  std::string text;
  std::error_code unknown;  // then it grows as it is read
  if (const auto size_bytes = std::filesystem::file_size(path, unknown); !unknown && size_bytes <= bytes_max) {
    text.reserve(size_bytes);
  }
  char chunk[64 * 1024];
  while (const std::size_t size_bytes = std::fread(chunk, 1, sizeof chunk, file.get())) {
    if (text.size() + size_bytes > bytes_max) return unexpected(file_error::too_large);
    text.append(chunk, size_bytes);
  }
  if (std::ferror(file.get()) != 0) return unexpected(file_error::unreadable);
  return text;
}

std::string_view to_string(file_error e) {
  switch (e) {
    case file_error::missing:
      return "no such file";
    case file_error::unreadable:
      return "cannot be read; check that it is a file and may be read";
    case file_error::too_large:
      return "is larger than 64MiB; keep the routing keys in a file of their own";
  }
  return "";
}

}  // namespace cellroute::wire
