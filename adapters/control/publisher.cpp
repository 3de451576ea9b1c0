#include "adapters/control/publisher.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "adapters/control/base_text.hpp"

namespace cellroute::control {
namespace {

constexpr std::size_t repairs_max = 64;  // of one content; who needs another one gets all of it

}  // namespace

/// Makes an artifact: of all of a content, or of the change from another. What may change meanwhile is put aside.
class publisher::pack_job final : public job {
 public:
  pack_job(publisher& owner, held& to, held* from) : owner_(owner), to_(to), from_(from), id_(to.what.id) {
    made_.label = to.what.label;
    ++to_.readers;
    if (from_ != nullptr) ++from_->readers;
  }
  void work() override {
    std::string label = std::move(made_.label);
    made_ = from_ != nullptr ? sync::pack_delta(from_->what.content, to_.what.content, id_)
                             : sync::pack_snapshot(to_.what.content, id_);
    made_.label = std::move(label);
  }
  void done() override {
    --to_.readers;
    if (from_ != nullptr) --from_->readers;
    owner_.told(*this);
  }

  [[nodiscard]] std::uint64_t version() const { return id_.version; }
  [[nodiscard]] bool is_snapshot() const { return from_ == nullptr; }
  [[nodiscard]] sync::artifact take() { return std::move(made_); }

 private:
  publisher& owner_;  // as the next, outlives this
  held& to_;
  held* from_;
  wire::content_id id_;
  sync::artifact made_;
};

/// Makes what mends the content of some routers.
class publisher::repair_job final : public job {
 public:
  repair_job(publisher& owner, held& to, sync::repair_need need)
      : owner_(owner), to_(to), id_(to.what.id), need_(std::move(need)) {
    made_.label = to.what.label;
    ++to_.readers;
  }
  void work() override {
    std::string label = std::move(made_.label);
    const sync::content& to = to_.what.content;
    made_ = sync::pack_repair(to, need_.buckets, need_.base, to.digest.salt(), id_);
    made_.label = std::move(label);
  }
  void done() override {
    --to_.readers;
    owner_.told(*this);
  }

  [[nodiscard]] std::uint64_t version() const { return id_.version; }
  [[nodiscard]] const sync::repair_need& need() const { return need_; }
  [[nodiscard]] sync::artifact take() { return std::move(made_); }

 private:
  publisher& owner_;  // as the next, outlives this
  held& to_;
  wire::content_id id_;
  sync::repair_need need_;
  sync::artifact made_;
};

class publisher::base_job final : public job {
 public:
  base_job(publisher& owner, held& of) : owner_(owner), of_(of), version_(of.what.id.version) { ++of_.readers; }
  void work() override { made_ = write_base_content(of_.what.content, version_, owner_.settings_.base_dialect); }
  void done() override {
    --of_.readers;
    owner_.told(*this);
  }

  [[nodiscard]] std::uint64_t version() const { return version_; }
  [[nodiscard]] sync::base_publication take() { return std::move(made_); }

 private:
  publisher& owner_;  // as the next, outlives this; its settings never change
  held& of_;
  std::uint64_t version_;
  sync::base_publication made_;
};

publisher::publisher(io::reactor& reactor, push_server& server, const publisher_settings& settings,
                     publish_observer& observer)
    : reactor_(reactor), server_(server), settings_(settings), observer_(observer), thread_(reactor) {
  reactor_.add_tick_listener(*this);
}

publisher::~publisher() { reactor_.remove_tick_listener(*this); }

std::size_t publisher::artifact_bytes() const {
  std::size_t bytes = 0;
  for (const auto& a : artifacts_) bytes += a.what.bytes.size();
  return bytes;
}

publisher::held* publisher::find(const wire::digest& sum) {
  const auto at = std::ranges::find(contents_, sum, [](const held& h) { return h.what.id.sum; });
  return at != contents_.end() ? &*at : nullptr;
}

void publisher::publish(published_content what) {
  if (next_) observer_.on_overtaken(next_->id);
  next_ = std::move(what);
  begin(reactor_.now());
}

void publisher::on_tick(time_point now) {
  begin(now);
  is_looking_ = server_.take_needs() || is_looking_;
  if (std::exchange(is_looking_, false) && current_ != nullptr) {
    add_ways();
    add_base_text();
  }
  sweep_artifacts();
}

/// Makes the next content ready, if there is one and its time has come.
void publisher::begin(time_point now) {
  if (preparing_ != nullptr || !next_ || now < earliest_) return;
  begun_ = now;
  if (held* same = find(next_->id.sum)) {  // back to one that is still here
    same->what.id = next_->id;
    same->what.label = std::move(next_->label);
    preparing_ = same;
  } else {
    preparing_ = &contents_.emplace_back(held{*std::move(next_)});
  }
  next_.reset();
  // The first has nothing before it; and where it is what runs, no bytes are needed.
  if (current_ == nullptr || current_ == preparing_) {
    announce();
    return server_.publish(said_);
  }
  make(*preparing_, current_);
}

void publisher::make(held& to, held* from) { thread_.add(std::make_unique<pack_job>(*this, to, from)); }

void publisher::told(pack_job& made) {
  if (preparing_ != nullptr && made.version() == preparing_->what.id.version) announce();
  if (made.version() != current_->what.id.version) return;  // it was overtaken
  auto& kept = artifacts_.emplace_back();
  kept.what = made.take();
  if (made.is_snapshot()) {
    said_.snapshot = &kept;
  } else {
    said_.deltas[*kept.what.base] = &kept;
    being_made_.insert(*kept.what.base);
  }
  server_.publish(said_);
}

void publisher::told(repair_job& made) {
  if (made.version() != current_->what.id.version) return;  // it was overtaken
  auto& kept = artifacts_.emplace_back();
  kept.what = made.take();
  said_.repairs[made.need()] = &kept;
  server_.publish(said_);
}

void publisher::told(base_job& made) {
  if (made.version() == current_->what.id.version) server_.publish_base(made.take());
}

/// From here on it is what routers should run.
void publisher::announce() {
  current_ = std::exchange(preparing_, nullptr);
  const time_point now = reactor_.now();
  const duration made_ready_in = now - begun_;
  earliest_ = now + std::min(std::max(settings_.coalesce, made_ready_in), settings_.coalesce_max);
  said_ = {};
  said_.target = {current_->what.id.epoch, current_->what.id.version, current_->what.id};
  being_made_.clear();
  repairs_made_.clear();
  is_snapshot_made_ = false;
  is_base_made_ = false;
  server_.publish_base({});  // the text of the one before is no news any more
  observer_.on_published(current_->what, made_ready_in);
  forget_contents();
  said_.rows = &current_->what.content.digest;
  for (const held& h : contents_) said_.bases.insert(h.what.id.sum);
  is_looking_ = true;
}

/// The ways that some router needs. Changes come first: who finds all of it takes that.
void publisher::add_ways() {
  const wire::digest& wanted = current_->what.id.sum;
  bool needs_snapshot = false;
  for (const auto& [id, router] : server_.hub().routers()) {
    const auto& have = router.facts.have;
    const auto is_wanted = [&wanted](const wire::content_id& c) { return c.sum == wanted; };
    const bool has_refused = std::ranges::find(router.refused, wanted) != router.refused.end();
    if (has_refused || std::ranges::any_of(have, is_wanted)) continue;
    if (router.needs) add_repair(*router.needs);
    needs_snapshot = needs_snapshot || router.needs_all;
    held* base = nullptr;
    for (auto c = have.begin(); c != have.end() && base == nullptr; ++c) base = find(c->sum);
    if (base != nullptr && being_made_.insert(base->what.id.sum).second) {
      make(*current_, base);
    }
  }
  if (needs_snapshot && !std::exchange(is_snapshot_made_, true)) make(*current_, nullptr);
}

void publisher::add_repair(const sync::repair_need& need) {
  if (repairs_made_.size() >= repairs_max || !repairs_made_.insert(need).second) return;
  thread_.add(std::make_unique<repair_job>(*this, *current_, need));
}

void publisher::add_base_text() {
  if (!server_.hub().has_base_sessions() || std::exchange(is_base_made_, true)) return;
  thread_.add(std::make_unique<base_job>(*this, *current_));
}

/// Contents that no router has, and beyond that the oldest.
void publisher::forget_contents() {
  std::set<wire::digest> in_use;
  for (const auto& [id, router] : server_.hub().routers()) {
    for (const wire::content_id& c : router.facts.have) in_use.insert(c.sum);
  }
  std::size_t left = contents_.size();
  for (auto at = contents_.begin(); at != contents_.end();) {
    const bool is_needed = left <= settings_.contents_kept && in_use.contains(at->what.id.sum);
    if (&*at == current_ || &*at == preparing_ || at->readers > 0 || is_needed) {
      ++at;
    } else {
      at = contents_.erase(at);
      --left;
    }
  }
}

void publisher::sweep_artifacts() {
  std::erase_if(artifacts_, [this](const sync::artifact_use::counted& a) {
    const bool is_said = said_.snapshot == &a ||
                         std::ranges::any_of(said_.deltas, [&a](const auto& d) { return d.second == &a; }) ||
                         std::ranges::any_of(said_.repairs, [&a](const auto& r) { return r.second == &a; });
    return !is_said && a.users == 0;
  });
}

}  // namespace cellroute::control
