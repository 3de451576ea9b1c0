#include "tests/simulation/sync_control.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "adapters/wire/chunk_frame.hpp"

namespace cellroute::simulation {
namespace {

constexpr std::uint32_t chunk_bytes = 64;  // small, so that a content has many
constexpr std::uint32_t window = 4;
constexpr std::size_t deltas_kept = 4;     // who is further behind takes a repair, or a snapshot
constexpr std::size_t whole_percent = 50;  // of its rows that change: then a version is stored as a whole

}  // namespace

sync_control::sync_control(sync_network& network, bool repairs) : network_(network), repairs_(repairs) { start(); }

void sync_control::start() {
  is_up_ = true;
  sync::hub_settings settings;
  settings.push.chunk_bytes = chunk_bytes;
  settings.push.window = window;
  settings.push.ping = beat;
  settings.push.repair_keys_min = 0;
  hub_ = std::make_unique<sync::push_hub>(settings);
  read_store();
  network_.tell("the control plane starts");
  if (!history_.empty()) announce();
}

void sync_control::stop() {
  network_.tell("the control plane crashes");
  is_up_ = false;
  hub_.reset();
  routes_.clear();
  history_.clear();
  artifacts_.clear();
  rows_.clear();
}

bool sync_control::has(const wire::digest& sum) const {
  return std::ranges::find(disk_, sum, [](const record& r) { return r.id.sum; }) != disk_.end();
}

// --- its store ---

sync_control::publish_outcome sync_control::publish(small_content content) {
  const wire::content_id id{1, history_.size() + 1, digest_of(content)};
  if (network_.chance(network_.faults.failed_commit)) {
    network_.tell(fmt::format("version {} cannot be stored", id.version));
    return publish_outcome::failed;
  }
  if (network_.chance(network_.faults.torn_commit)) {
    const bool is_there = network_.chance(500);
    if (is_there) commit(id, content);
    network_.tell(fmt::format("it crashes {} version {} is stored", is_there ? "after" : "before", id.version));
    stop();
    return publish_outcome::crashed;
  }
  commit(id, content);
  network_.tell(fmt::format("version {} is published{}", id.version, content.is_bad ? ", a bad one" : ""));
  history_.emplace_back(id, std::move(content));
  acknowledged_[id.version] = id.sum;
  announce();
  return publish_outcome::acknowledged;
}

void sync_control::commit(const wire::content_id& id, const small_content& content) {
  const small_content before = history_.empty() ? small_content() : history_.back().second;
  std::string change = encode_delta(before, content);
  const auto lines = static_cast<std::size_t>(std::ranges::count(change, '\n'));
  const bool is_whole = 100 * lines > whole_percent * (content.rows.size() + 1);
  disk_.push_back({id, is_whole, is_whole ? encode(content) : std::move(change)});
}

void sync_control::read_store() {
  for (const record& r : disk_) {
    auto made = decode(r.rows, r.is_whole || history_.empty() ? small_content() : history_.back().second);
    if (!made || digest_of(*made) != r.id.sum)
      return network_.fail(fmt::format("the changes up to version {} come to another content", r.id.version));
    history_.emplace_back(r.id, *std::move(made));
  }
  for (const auto& [version, sum] : acknowledged_) {
    if (version > history_.size() || history_[version - 1].first != wire::content_id{1, version, sum})
      return network_.fail(fmt::format("version {} was acknowledged, and is lost", version));
  }
}

// --- what it says ---

sync::artifact_use::counted* sync_control::keep(sync::artifact_use::counted made) {
  artifacts_.push_back(std::move(made));
  return &artifacts_.back();
}

/// Makes what is sent of the newest content, and tells all sessions.
void sync_control::announce() {
  const auto& [id, content] = history_.back();
  said_ = {};
  said_.target = {1, id.version, id};
  said_.snapshot = keep(artifact_of(wire::transfer_kind::snapshot, encode(content), id, content.rows.size()));
  if (repairs_) {
    rows_.push_back(std::make_unique<key_digest>(digest_rows(content)));
    said_.rows = rows_.back().get();
  }
  const std::size_t count = history_.size();
  for (std::size_t i = count > deltas_kept ? count - deltas_kept : 0; i + 1 < count; ++i) {
    const auto& [base, from] = history_[i];
    if (base.sum == id.sum) continue;
    auto made = artifact_of(wire::transfer_kind::delta, encode_delta(from, content), id, content.rows.size());
    made.what.base = base.sum;
    said_.deltas[base.sum] = keep(std::move(made));
  }
  hub_->publish(said_, network_.now);
  if (rows_.size() > 1) rows_.erase(rows_.begin(), rows_.end() - 1);
  while (!artifacts_.empty() && artifacts_.front().users == 0 && artifacts_.size() > deltas_kept + 1) {
    artifacts_.pop_front();
  }
  flush();
}

void sync_control::make_repairs() {
  bool is_new = false;
  const auto& [id, content] = history_.back();
  for (const auto& [name, router] : hub_->routers()) {
    if (!router.needs || said_.repairs.contains(*router.needs)) continue;
    const std::string rows = encode_repair(content, router.needs->buckets);
    auto made = artifact_of(wire::transfer_kind::repair, rows, id, content.rows.size());
    made.what.base = router.needs->base;
    said_.repairs[*router.needs] = keep(std::move(made));
    is_new = true;
  }
  if (is_new) hub_->publish(said_, network_.now);
}

void sync_control::open(route& of) {
  of.session = hub_->open(true, network_.now).value();
  routes_[of.session] = &of;
  network_.send(of, true, opened{});
}

void sync_control::close(route& of) {
  const std::uint64_t session = std::exchange(of.session, 0);
  if (session == 0 || !is_up_) return;
  hub_->closed(session, network_.now);
  routes_.erase(session);
}

void sync_control::take(route& of, std::string_view text) {
  if (of.session == 0) return;
  const auto said = wire::read_message(text);
  if (!said) return network_.fail("the control plane cannot read: " + std::string(text));
  if (const auto* a = std::get_if<wire::ack>(&*said)) {
    network_.tell(
        fmt::format("router {}: ack {} {} {}", of.router, static_cast<int>(a->status), a->content.version, a->code));
    if (a->status == wire::ack_status::rejected && a->code == "schema")
      refused_for_good_[of.router].insert(a->content.sum);
  }
  hub_->take_text(of.session, text, network_.now);
  flush();
}

void sync_control::tick() {
  hub_->tick(network_.now);
  flush();
}

/// Gives the network what the sessions have to say.
void sync_control::flush() {
  if (hub_->take_needs() && repairs_) make_repairs();
  for (const std::uint64_t session : hub_->take_ready()) {
    const auto at = routes_.find(session);
    if (at != routes_.end()) flush_session(*at->second);
  }
}

void sync_control::note_begin(const route& of, const wire::config_begin& said) {
  network_.tell(fmt::format("to {}: begin {} of {} ({} bytes)", of.router, static_cast<int>(said.kind),
                            said.content.version, said.bytes));
  ++transfers_[said.kind];
  if (refused_for_good_[of.router].contains(said.content.sum))
    network_.fail(fmt::format("router {}: a content is sent that was refused for what it is", of.router));
}

void sync_control::flush_session(route& of) {
  while (auto out = hub_->next_output(of.session, network_.now)) {
    if (const auto* m = std::get_if<wire::message>(&*out)) {
      if (const auto* b = std::get_if<wire::config_begin>(m)) note_begin(of, *b);
      network_.send(of, true, text{wire::write_message(*m)});
    } else {
      const auto& c = std::get<sync::send_chunk>(*out);
      content_bytes_ += c.payload.size();
      const auto head = wire::write_chunk_head({c.transfer, c.seq, c.total, c.offset, c.payload});
      binary b;
      b.bytes.assign(head.begin(), head.end());
      b.bytes.insert(b.bytes.end(), c.payload.begin(), c.payload.end());
      network_.send(of, true, std::move(b));
    }
  }
  if (hub_->has_ended(of.session)) {
    network_.tell(fmt::format("the session of {} ends", of.router));
    network_.send(of, true, ended{});
    close(of);
  }
}

}  // namespace cellroute::simulation
