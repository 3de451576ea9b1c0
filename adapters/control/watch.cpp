#include "adapters/control/watch.hpp"

#include <algorithm>
#include <utility>

#include "adapters/process/process_usage.hpp"
#include "adapters/wire/print.hpp"

namespace cellroute::control {
namespace {

/// What a router does with local sections does not happen here: it keeps no table in a router's folder.
wire::config_file without_local_state(std::string path) {
  wire::config_file file{std::move(path), {}, {}};
  file.flags.state_dir = "off";
  return file;
}

}  // namespace

watched_file::watched_file(io::reactor& reactor, std::string path, head_file& head, std::uint64_t seed,
                           watch_listener& listener)
    : file_(without_local_state(std::move(path))),
      head_(head),
      seed_(seed),
      listener_(listener),
      files_{file_.path},
      follower_(reactor, *this) {}

expected<numbered_content, std::vector<std::string>> watched_file::read_first() {
  how_ = {};
  reading first = read_all();
  hash_ = first.hash;
  files_ = std::move(first.files);
  if (auto* made = std::get_if<numbered_content>(&first.what)) {
    is_published_ = true;
    return std::move(*made);
  }
  return unexpected(std::move(std::get<refused>(first.what).mistakes));
}

void watched_file::start() { follower_.start({}, files_); }

/// On a thread of its own, but for the first time.
watched_file::reading watched_file::read_all() {
  if (hash_ != 0 && !how_.is_asked && wire::content_of(files_) == hash_) return {hash_, files_, unchanged{}};
  if (how_.quiet && process::is_any_being_written(files_, *how_.quiet)) return {hash_, files_, unsettled{}};
  auto c = wire::load(file_);
  reading got{c ? c->content : c.error().content, c ? wire::files_of(*c) : c.error().files, unchanged{}};
  // Files that it names for the first time, too, and whoever began to write meanwhile.
  if (how_.quiet && process::is_any_being_written(got.files, *how_.quiet)) return {hash_, files_, unsettled{}};
  if (c) {
    got.what = make(*c);
    process::give_back_memory();  // a table of a million keys took several times its size
  } else {
    got.what = refused{lines_of(c.error())};
  }
  return got;
}

std::variant<watched_file::unchanged, watched_file::unsettled, watched_file::refused, numbered_content>
watched_file::make(wire::configuration& c) {
  auto table = wire::compile(c, generation_number{1}, seed_);
  if (!table) {
    wire::load_error error;
    error.mistakes = std::move(table).error();
    return refused{lines_of(error)};
  }
  c.key_files.clear();  // keys travel as rows
  const publish_head& before = head_.head();
  numbered_content made{sync::make_content(wire::write_fleet(c), (*std::move(table)).keys(), before.salt),
                        before.content, c.spec.version, c.quarantined.size()};
  if (made.content.sum == before.content.sum) {
    if (is_published_) return unchanged{};
    return made;
  }
  made.id = {before.content.epoch, before.content.version + 1, made.content.sum};
  if (auto kept = head_.keep({made.id, before.salt}); !kept) return refused{{std::move(kept).error()}, true};
  return made;
}

void watched_file::take(const std::string& why_not) {
  reading got = why_not.empty() ? *std::exchange(reading_, {}) : reading{hash_, files_, refused{{why_not}, true}};
  if (std::holds_alternative<unsettled>(got.what)) return follower_.end_unsettled();
  const bool is_same = got.hash == hash_;
  hash_ = got.hash;
  files_ = std::move(got.files);
  follower_.follow(files_);
  if (auto* why = std::get_if<refused>(&got.what)) return refuse(std::move(*why));
  follower_.end(false);
  if (auto* made = std::get_if<numbered_content>(&got.what)) {
    mistakes_.clear();
    is_published_ = true;
    return listener_.on_content(std::move(*made));
  }
  if (is_same && !how_.is_asked) return;  // also where it is still refused
  mistakes_.clear();
  listener_.on_unchanged(how_.is_asked);
}

void watched_file::refuse(refused why) {
  const bool is_told = !how_.is_asked && why.mistakes == mistakes_;
  if (why.may_pass) hash_ = 0;  // it is tried again, however it is
  mistakes_ = std::move(why.mistakes);
  follower_.end(true);
  if (!is_told) listener_.on_refused(mistakes_);
}

}  // namespace cellroute::control
