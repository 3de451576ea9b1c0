#include "adapters/tool/event_reader.hpp"

#include <utility>

namespace cellroute::tool {
namespace {

constexpr std::size_t text_bytes_max = std::size_t{1} << 20;

}  // namespace

std::vector<server_event> event_reader::take(std::string_view bytes) {
  std::vector<server_event> found;
  for (const char c : bytes) {
    const bool is_second = c == '\n' && std::exchange(has_return_, false);
    if (is_second) continue;
    has_return_ = c == '\r';
    if (c == '\r' || c == '\n') {
      take_line(found);
    } else if (line_.size() == text_bytes_max) {
      is_line_too_long_ = true;
    } else {
      line_ += c;
    }
  }
  return found;
}

void event_reader::restart() {
  std::string last = std::move(last_id_);
  *this = event_reader();
  last_id_ = std::move(last);
}

void event_reader::take_line(std::vector<server_event>& to) {
  const std::string line = std::exchange(line_, {});
  if (std::exchange(is_line_too_long_, false)) {
    is_event_too_long_ = true;
    return;
  }
  if (!line.empty()) {
    const std::size_t colon = line.find(':');
    std::string_view value = colon == std::string::npos ? std::string_view() : std::string_view(line).substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    return take_field(std::string_view(line).substr(0, colon), value);
  }
  server_event made{last_id_, std::exchange(kind_, {}), std::exchange(data_, {})};
  if (made.kind.empty()) made.kind = "message";
  const bool is_whole = !std::exchange(is_event_too_long_, false);
  if (std::exchange(has_data_, false) && is_whole) to.push_back(std::move(made));
}

void event_reader::take_field(std::string_view name, std::string_view value) {
  if (name == "event") kind_ = value;
  if (name == "id" && value.find('\0') == std::string_view::npos) last_id_ = value;
  if (name != "data") return;
  if (data_.size() + 1 + value.size() > text_bytes_max) {
    is_event_too_long_ = true;
    return;
  }
  if (has_data_) data_ += '\n';
  data_ += value;
  has_data_ = true;
}

}  // namespace cellroute::tool
