#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cellroute::tool {

/// One event of a stream of them.
struct server_event {
  std::string id{};  ///< of it, or of the last one before it that had any
  std::string kind = "message";
  std::string data{};
};

/// Reads server-sent events out of bytes, however they were cut up.
///
/// A line of more than 1 MiB, and an event with more data than that, are left out: nothing is that long here.
/// Source: HTML Living Standard, section 9.2.6.
class event_reader {
 public:
  /// The events that end in these bytes.
  [[nodiscard]] std::vector<server_event> take(std::string_view bytes);
  /// By which one goes on where the stream is cut; empty: no event had any.
  [[nodiscard]] const std::string& last_id() const { return last_id_; }
  /// The stream begins anew; what was read in part is forgotten.
  void restart();

 private:
  void take_line(std::vector<server_event>& to);
  void take_field(std::string_view name, std::string_view value);

  std::string line_;
  bool is_line_too_long_ = false;
  bool has_return_ = false;  // the last byte was one, and a line feed behind it belongs to it
  std::string kind_;
  std::string data_;
  bool has_data_ = false;
  bool is_event_too_long_ = false;
  std::string last_id_;
};

}  // namespace cellroute::tool
