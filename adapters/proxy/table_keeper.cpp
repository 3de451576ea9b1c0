#include "adapters/proxy/table_keeper.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

#include "adapters/process/background_thread.hpp"
#include "adapters/wire/key_cache.hpp"

namespace cellroute::proxy {

void table_keeper::keep(const std::string& folder, process::state_lock lock, std::uint64_t content, bool is_kept) {
  if (thread_.joinable()) thread_.join();  // changes are seconds apart, and a table takes less
  if (std::exchange(folder_, folder) != folder) contents_.clear();
  std::erase(contents_, content);
  contents_.insert(contents_.begin(), content);
  if (contents_.size() > 2) contents_.pop_back();
  try {
    start(std::move(lock), is_kept);
  } catch (const std::system_error& error) {
    if (!is_kept) listener_.on_kept(std::string("no thread can be had to write it: ") + error.what());
  }
}

void table_keeper::start(process::state_lock lock, bool is_kept) {
  thread_ = std::thread([this, lock = std::move(lock), is_kept, contents = contents_] {
    process::become_background_thread();
    std::string error;
    if (!is_kept) {
      reader<active_configuration> table(current_);
      const auto kept = wire::keep_table(folder_, contents.front(), table.current().value.table.keys());
      if (!kept) error = kept.error();
    }
    wire::remove_other_tables(folder_, contents);
    if (!is_kept) reactor_.post([this, error = std::move(error)] { listener_.on_kept(error); });
  });
}

}  // namespace cellroute::proxy
