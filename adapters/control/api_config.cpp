#include <algorithm>
#include <utility>

#include "adapters/control/api_parts.hpp"
#include "adapters/control/base_text.hpp"
#include "adapters/wire/print.hpp"

// The configuration as a whole.
namespace cellroute::control {
namespace {

constexpr std::string_view base_type = "application/vnd.cellroute.base+json";

/// What was current when somebody asked; it stays while this does.
using held_content = std::unique_ptr<reader<active_content>>;

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
  config_stream(held_content now, const active_content& active)
      : now_(std::move(now)), rows_(rows_of(active.content.keys)) {
    wire::node tree = active.doc.tree;
    (void)last_map(last_map(last_map(tree, "routing"), "keys"), "inline");
    std::string text = wire::write_json(tree);
    const std::size_t at = text.rfind("{}");  // the last map of the last map of the last map
    head_ = text.substr(0, at + 1);
    tail_ = text.substr(at + 1);
  }

  bool next(std::string& piece) override {
    piece = std::exchange(head_, {});
    for (; at_ < rows_.rows.size() && piece.size() < answer_piece_bytes; ++at_) {
      piece += at_ == 0 ? "\n" : ",\n";
      process::append_json_string(piece, rows_.rows[at_].key);
      piece += ": ";
      process::append_json_string(piece, rows_.names[rows_.rows[at_].outcome]);
    }
    if (at_ == rows_.rows.size()) piece += std::exchange(tail_, {});
    return !piece.empty();
  }

 private:
  held_content now_;  // the rows are views into what it holds
  table_rows rows_;
  std::string head_;
  std::string tail_;
  std::size_t at_ = 0;
};

/// The same in the words of the base protocol.
class base_stream final : public body_source {
 public:
  base_stream(held_content now, base_message text) : now_(std::move(now)), text_(std::move(text)) {}

  bool next(std::string& piece) override {
    piece.clear();
    return text_.next(piece);
  }

 private:
  held_content now_;  // the rows are views into what it holds
  base_message text_;
};

/// Whether somebody asks for the shape of the base protocol. Who takes anything gets ours.
bool wants_base(const call& c) {
  const std::string said = c.asked.header("Accept").value_or("");
  return said.substr(0, said.find_first_of(",; ")) == base_type;
}

}  // namespace

answer get_config(call& c) {
  auto now = std::make_unique<reader<active_content>>(c.state.of.current());
  const active_content& active = now->current().value;
  if (active.head.version == 0) return problem_answer(404, "unknown", "nothing is published yet");
  answer made;
  const std::string tag = tag_of(active.head);
  if (const auto known = c.asked.header("If-None-Match")) {
    const auto tags = read_tags(*known);
    if (tags && tags->has(tag)) made.status = 304;
  }
  // The tag names the version that a change is compared with, whatever shape it is read in.
  add_tag(made, tag);
  made.headers.emplace_back("Vary", "Accept");
  if (made.status == 304) return made;
  if (wants_base(c)) {
    const bool is_snapshot = c.state.settings.base_dialect == to_string(wire::base_dialect::config_snapshot);
    auto text =
        base_message::open(active.content, active.head.version,
                           is_snapshot ? wire::base_dialect::config_snapshot : wire::base_dialect::config_update);
    if (!text) return problem_answer(406, "not_acceptable", text.error());
    made.headers.emplace_back("Content-Type", base_type);
    made.stream = std::make_unique<base_stream>(std::move(now), *std::move(text));
    return made;
  }
  made.headers.emplace_back("Content-Type", "application/json");
  made.stream = std::make_unique<config_stream>(std::move(now), active);
  return made;
}

answer put_config(call& c) {
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
