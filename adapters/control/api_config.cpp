#include <algorithm>
#include <utility>

#include "adapters/control/api_parts.hpp"
#include "adapters/wire/print.hpp"

// The configuration as a whole.
namespace cellroute::control {
namespace {

constexpr std::size_t piece_bytes = 60'000;

wire::node& last_map(wire::node& of, std::string_view name) {
  const auto found = std::ranges::find(of.children, name, &wire::node::name);
  wire::node one;
  if (found != of.children.end()) {
    one = std::move(*found);
    of.children.erase(found);
  }
  one.kind = wire::node_kind::map;
  one.name = name;
  of.children.push_back(std::move(one));
  return of.children.back();
}

/// A configuration as one JSON text, its rows by key: they are put in where the document has none.
class config_stream final : public body_source {
 public:
  config_stream(registry& of, const active_content& now) : now_(of.current()), rows_(rows_of(now.content.keys)) {
    wire::node tree = now.doc.tree;
    (void)last_map(last_map(last_map(tree, "routing"), "keys"), "inline");
    std::string text = wire::write_json(tree);
    const std::size_t at = text.rfind("{}");  // the last map of the last map of the last map
    head_ = text.substr(0, at + 1);
    tail_ = text.substr(at + 1);
  }

  bool next(std::string& piece) override {
    piece = std::exchange(head_, {});
    for (; at_ < rows_.rows.size() && piece.size() < piece_bytes; ++at_) {
      piece += at_ == 0 ? "\n" : ",\n";
      process::append_json_string(piece, rows_.rows[at_].key);
      piece += ": ";
      process::append_json_string(piece, rows_.names[rows_.rows[at_].outcome]);
    }
    if (at_ == rows_.rows.size()) piece += std::exchange(tail_, {});
    return !piece.empty();
  }

 private:
  reader<active_content> now_;  // the rows are views into what it holds
  table_rows rows_;
  std::string head_;
  std::string tail_;
  std::size_t at_ = 0;
};

}  // namespace

answer get_config(call& c) {
  reader<active_content> now(c.state.of.current());
  const active_content& active = now.current().value;
  if (active.head.version == 0) return problem_answer(404, "unknown", "nothing is published yet");
  answer made;
  const std::string tag = tag_of(active.head);
  if (const auto known = c.asked.header("If-None-Match")) {
    const auto tags = read_tags(*known);
    if (tags && tags->has(tag)) made.status = 304;
  }
  add_tag(made, tag);
  if (made.status == 304) return made;
  made.headers.emplace_back("Content-Type", "application/json");
  made.stream = std::make_unique<config_stream>(c.state.of, active);
  return made;
}

answer put_config(call& c) {
  if (auto bound = check_unbound(c)) return *std::move(bound);
  const registry_settings& settings = c.state.of.settings();
  // Read before it is anybody's turn: that takes the most time of all.
  auto all = read_whole(c.asked.body, "config", settings.seed, settings.resource);
  registry::turn turn = c.state.of.begin();
  const active_content& now = turn.base();
  if (auto wrong = check_preconditions(c, now, {}, now.head.version > 0)) return *std::move(wrong);
  if (!all) return problem_answer(all.error());
  const std::size_t quarantined = all->quarantined;
  return finish_change(c, turn, turn.replace_all(*std::move(all)), "config.put", 200, quarantined);
}

}  // namespace cellroute::control
