#include "adapters/proxy/last_known_good.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <string_view>

#include "adapters/process/kept_file.hpp"

namespace cellroute::proxy {
namespace {

constexpr const char* current_name = "CURRENT";
constexpr const char* previous_name = "PREVIOUS";
constexpr const char* quarantine_name = "QUARANTINE";

std::string words_of(const wire::content_id& id) {
  return fmt::format("version {} of epoch {} ({})", id.version, id.epoch, wire::to_short_hex(id.sum));
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

found_contents last_known_good::load(const sync::unpacking& how, const sync::stored_limits& limits, bool is_start) {
  found_contents found;
  is_start_ = is_start;
  load_quarantine(found);
  boots_.load(found.told);
  refuse_fatal_checks(found);
  are_marks_known_ = true;
  const auto current = load_mark(current_name, found);
  const auto previous = load_mark(previous_name, found);
  // What a process left that was ended is seen, and perhaps not on the disk: what is built on it must be.
  if (const auto synced = on_.sync_folder(); !synced) {
    found.told.push_back("its files cannot be brought to the disk: " + synced.error().message());
    are_marks_known_ = false;
  }
  if (previous) previous_ = previous->stem;
  if (current && take(*current, true, how, limits, found)) {
    if (are_marks_known_) remove_others();
  } else if (previous) {
    (void)take(*previous, false, how, limits, found);
  }
  return found;
}

found_contents last_known_good::load_previous(const sync::unpacking& how, const sync::stored_limits& limits) {
  found_contents found;
  const bool was_current = current_ && current_->stem != previous_;
  const auto previous = load_mark(previous_name, found);
  if (was_current && previous) (void)take(*previous, false, how, limits, found);
  return found;
}

std::optional<chain_mark> last_known_good::load_mark(const char* name, found_contents& to) {
  const auto note = load_note(on_, name);
  if (note && !*note) return std::nullopt;
  const auto mark = note ? read_mark(**note) : unexpected(note.error());
  if (mark) return *mark;
  to.told.push_back((note ? std::string(name) + ": " : std::string()) + mark.error() + "; what it names is not taken");
  are_marks_known_ = false;
  return std::nullopt;
}

void last_known_good::load_quarantine(found_contents& to) {
  const auto note = load_note(on_, quarantine_name);
  if (note && !*note) return;
  auto all = note ? read_quarantine(**note) : unexpected(note.error());
  if (all) {
    quarantined_ = *std::move(all);
  } else {
    is_quarantine_kept_ = false;
    to.told.push_back((note ? std::string(quarantine_name) + ": " : std::string()) + all.error() +
                      "; what it refused can come again");
  }
}

void last_known_good::refuse_fatal_checks(found_contents& to) {
  if (checks_.load(to.told)) boots_.excuse();
  const auto fatal = checks_.take_crash_loops();
  if (fatal.empty()) return;
  auto all = quarantined_;
  for (const wire::digest& sum : fatal) {
    to.told.push_back(fmt::format("what came as {}: its check has ended {} processes; it is refused",
                                  wire::to_short_hex(sum), boots_max));
    all.push_back({sum, std::string(to_string(wire::refusal_code::crash_loop))});
  }
  if (const auto kept = quarantine(std::move(all)); !kept) to.told.push_back(kept.error());
}

/// Whether a content is not to be taken, though it is whole.
bool last_known_good::is_refused(const wire::content_id& id, found_contents& to) {
  const auto at = std::ranges::find(quarantined_, id.sum, &wire::quarantined_content::sum);
  if (at != quarantined_.end()) {
    to.told.push_back(words_of(id) + ": was refused (" + at->code + "); the one before is tried");
    return true;
  }
  if (!boots_.is_crash_loop(id.sum)) return false;
  to.told.push_back(
      fmt::format("{}: was begun {} times and did not survive; it is refused, and the one before is tried",
                  words_of(id), boots_max));
  auto all = quarantined_;
  all.push_back({id.sum, std::string(to_string(wire::refusal_code::crash_loop))});
  if (const auto kept = quarantine(std::move(all)); !kept) to.told.push_back(kept.error());
  return true;
}

/// Takes the newest content of a chain that is not refused; of the previous chain none behind what its mark names.
bool last_known_good::take(const chain_mark& mark, bool is_current, const sync::unpacking& how,
                           const sync::stored_limits& limits, found_contents& to) {
  const auto chain = read_chain(on_, mark.stem, limits);
  if (!chain) {
    to.told.push_back(chain.error() + "; it is not taken");
    return false;
  }
  if (!chain->cut.empty())
    to.told.push_back(fmt::format("{}: {} deltas are taken, and what follows is not: {}", log_name(mark.stem),
                                  chain->pieces.size() - 1, chain->cut));
  const auto sum_of = [](const sync::piece& one) { return one.what.content.sum; };
  std::size_t size = chain->pieces.size();
  if (is_current && sum_of(chain->pieces.front()) != mark.sum) {
    to.told.push_back(snapshot_name(mark.stem) + ": is not what " + current_name + " names; it is not taken");
    return false;
  }
  if (!is_current) {
    const auto last = std::ranges::find(chain->pieces.rbegin(), chain->pieces.rend(), mark.sum, sum_of);
    if (last != chain->pieces.rend()) size = static_cast<std::size_t>(chain->pieces.rend() - last);
  }
  while (size > 0 && is_refused(chain->pieces[size - 1].what.content, to)) --size;
  if (size == 0) return false;
  const std::span<const sync::piece> pieces = std::span(chain->pieces).first(size);
  const wire::config_begin& what = pieces.back().what;
  if (is_start_) {
    if (const auto begun = boots_.begin(what.content.sum); !begun) to.told.push_back(begun.error());
  }
  auto made = sync::unpack_chain(pieces, {chain->salt, how.seed, how.resource});
  if (!made) {
    to.told.push_back(fmt::format("{} in {}: {}; it is not taken", words_of(what.content), snapshot_name(mark.stem),
                                  made.error().error));
    return false;
  }
  to.newest.emplace(kept_content{*std::move(made), what.content, what.label});
  const bool is_whole = is_current && size == chain->pieces.size() && chain->cut.empty();
  current_ = {
      mark.stem, what.content, chain->salt, chain->snapshot.size(), chain->log.size(), is_whole && settle(*chain)};
  return true;
}

/// Writes a log again that an earlier process left. That one may have been told that its bytes do not come to the disk;
/// they are seen all the same until the power goes, and no later sync tells.
bool last_known_good::settle(const kept_chain& chain) {
  if (!are_marks_known_) return false;
  return chain.log.empty() || process::replace_file(on_, log_name(chain.stem), {chain.log}).has_value();
}

expected<void, std::string> last_known_good::quarantine(std::vector<wire::quarantined_content> all) {
  if (all == quarantined_ && is_quarantine_kept_) return {};
  quarantined_ = std::move(all);
  const auto stored = store_note(on_, quarantine_name, write_quarantine(quarantined_));
  is_quarantine_kept_ = stored.has_value();
  if (!stored) return unexpected(stored.error().what);
  return {};
}

expected<void, std::string> last_known_good::keep(const sync::content& whole, const sync::piece& came) {
  assert(whole.sum == came.what.content.sum);
  const std::uint64_t salt = whole.digest.salt();
  if (came.what.kind == wire::transfer_kind::snapshot && !(current_ && current_->tip.sum == whole.sum))
    return start_chain(came, salt);
  const bool follows = came.what.kind == wire::transfer_kind::delta && current_ && current_->is_sound &&
                       came.what.base == current_->tip.sum && salt == current_->salt;
  if (follows) {
    const auto head = sync::write_stored_head(came, salt);
    if (head && has_room(head->size() + came.bytes.size())) return append(*head, came);
  }
  return keep(whole, came.what.content, came.what.label);
}

expected<void, std::string> last_known_good::keep(const sync::content& whole, const wire::content_id& id,
                                                  const std::string& label) {
  assert(whole.sum == id.sum);
  if (current_ && current_->is_sound && current_->tip == id) return {};
  if (current_ && current_->is_sound &&
      current_->tip.sum == id.sum) {  // another number, which is no reason for all of it
    sync::artifact same = sync::pack_delta(whole, whole, id);
    same.label = label;
    const sync::piece renamed{announce(same), same.bytes};
    const auto head = sync::write_stored_head(renamed, current_->salt);
    if (head && has_room(head->size() + same.bytes.size())) return append(*head, renamed);
  }
  sync::artifact all = sync::pack_snapshot(whole, id);
  all.label = label;
  return start_chain({announce(all), all.bytes}, whole.digest.salt());
}

bool last_known_good::has_room(std::size_t bytes) const {
  const std::size_t room = std::max(limits_.bytes_always, current_->snapshot_bytes / 100 * limits_.percent_max);
  return current_->log_bytes + bytes <= room;
}

expected<void, std::string> last_known_good::append(const std::vector<std::byte>& head, const sync::piece& delta) {
  current_->is_sound = false;  // until all of it is there
  if (auto written = process::append_to_file(on_, log_name(current_->stem), {head, delta.bytes}); !written)
    return written;
  if (current_->log_bytes == 0) {
    if (const auto synced = on_.sync_folder(); !synced)
      return unexpected(log_name(current_->stem) +
                        ": its name cannot be brought to the disk: " + synced.error().message());
  }
  current_->log_bytes += head.size() + delta.bytes.size();
  current_->tip = delta.what.content;
  current_->is_sound = true;
  return {};
}

expected<void, std::string> last_known_good::start_chain(const sync::piece& snapshot, std::uint64_t salt) {
  const auto head = sync::write_stored_head(snapshot, salt);
  if (!head)
    return unexpected(fmt::format("{}: cannot be kept: {}", words_of(snapshot.what.content), to_string(head.error())));
  const auto stem = free_stem(snapshot.what.content);
  if (!stem) return unexpected(stem.error());
  const std::string name = snapshot_name(*stem);
  const auto give_up = [&](const process::replace_error& why) {
    (void)on_.remove(name);
    return unexpected(why.what);
  };
  if (const auto kept = process::replace_file(on_, name, {*head, snapshot.bytes}); !kept) return give_up(kept.error());
  if (current_) {
    const std::string before = write_mark({current_->stem, current_->tip.sum});
    if (const auto kept = store_note(on_, previous_name, before); !kept) return give_up(kept.error());
  }
  const std::string now = write_mark({*stem, snapshot.what.content.sum});
  if (const auto kept = store_note(on_, current_name, now); !kept) {
    if (!kept.error().may_be_there) return give_up(kept.error());
    if (current_) current_->is_sound = false;
    return unexpected(kept.error().what);
  }
  previous_ = current_ ? current_->stem : std::string();
  current_ = {*stem, snapshot.what.content, salt, head->size() + snapshot.bytes.size(), 0, true};
  remove_others();
  return {};
}

/// A stem that no file has: what a chain of the same content left must not be taken for this one's.
expected<std::string, std::string> last_known_good::free_stem(const wire::content_id& id) {
  const auto names = on_.list();
  if (!names) return unexpected("the folder cannot be read: " + names.error().message());
  const std::string wanted = fmt::format("{}-{}-{}", id.epoch, id.version, wire::to_short_hex(id.sum));
  for (int i = 0;; ++i) {
    std::string stem = i == 0 ? wanted : fmt::format("{}.{}", wanted, i);
    if (!has(*names, snapshot_name(stem)) && !has(*names, log_name(stem))) return stem;
  }
}

/// Removes every chain but the current one and the one before. What stays in spite of it goes the next time.
void last_known_good::remove_others() {
  const auto names = on_.list();
  if (!names) return;
  const auto is_needed = [&](const std::string& name) {
    return name == snapshot_name(current_->stem) || name == log_name(current_->stem) ||
           name == snapshot_name(previous_) || name == log_name(previous_);
  };
  for (const std::string& name : *names) {
    const bool is_idle_mark = name == previous_name && previous_.empty();
    if (is_idle_mark || (is_chain_file(name) && !is_needed(name))) (void)on_.remove(name);
  }
}

}  // namespace cellroute::proxy
