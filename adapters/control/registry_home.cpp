#include "adapters/control/registry_home.hpp"

#include <asio/post.hpp>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "cellroute/base/hash.hpp"

namespace cellroute::control {
namespace {

constexpr std::uint64_t salt_max = (std::uint64_t{1} << 53) - 1;  // what a number of JSON carries anywhere
constexpr std::uint64_t common_salt = 1;  // of those without a store: what did not change has the digest that it had

/// What the publisher keeps is its own: the registry goes on meanwhile.
published_content content_of(const active_content& now) {
  const sync::content& c = now.content;
  return {{c.document, c.keys.shared(), c.digest, c.sum}, now.id(), now.label};
}

std::string name_of_cluster(std::uint64_t seed) { return "c" + std::to_string(mix(seed) & salt_max); }

stored<store> open_or_create(const std::string& path, const store_identity& identity, wall_time now) {
  auto opened = store::open(path);
  if (opened || opened.error().what != store_error::not_found) return opened;
  return store::create(path, identity, now);
}

}  // namespace

expected<private_folder, std::string> private_folder::make() {
  const char* const wanted = std::getenv("TMPDIR");
  std::string path = std::string(wanted != nullptr && *wanted == '/' ? wanted : "/tmp") + "/cellroute-control-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) return unexpected(path + ": " + std::strerror(errno));
  private_folder made;
  made.path_ = std::move(path);
  return made;
}

private_folder::~private_folder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

expected<std::unique_ptr<registry_home>, std::string> registry_home::open(io::reactor& reactor, const std::string& file,
                                                                          const registry_settings& settings,
                                                                          wall_time now, content_listener& listener) {
  expected<private_folder, std::string> folder = file.empty() ? private_folder::make() : private_folder();
  if (!folder) return unexpected(std::move(folder).error());
  store_identity identity{name_of_cluster(settings.seed), settings.seed & salt_max};
  if (file.empty()) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    identity.epoch = static_cast<std::uint64_t>(seconds);
    identity.salt = common_salt;
  }
  auto opened = open_or_create(file.empty() ? folder->path() + "/store" : file, identity, now);
  if (!opened) return unexpected(opened.error().detail);
  // Nothing but `open` makes one, so no `make_unique`.
  std::unique_ptr<registry_home> home(
      new registry_home(reactor, *std::move(folder), listener));  // allow: new: private constructor
  publication_listener& relay = *home;
  auto made = registry::open(*std::move(opened), settings, &relay);
  if (!made) return unexpected(made.error().detail);
  home->registry_ = *std::move(made);
  return home;
}

void registry_home::begin() {
  is_telling_ = true;
  reader<active_content> now(registry_->current());
  if (now.current().value.head.version > 0) listener_.on_next_content(content_of(now.current().value));
}

void registry_home::on_published(const active_content& now, const active_content&) {
  if (!is_telling_) return;
  asio::post(reactor_.context(),
             [this, next = content_of(now)]() mutable { listener_.on_next_content(std::move(next)); });
}

}  // namespace cellroute::control
