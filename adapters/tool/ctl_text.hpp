#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/wire/node.hpp"

/// How answers of a control plane become texts for people.
namespace cellroute::tool {

using rows = std::vector<std::vector<std::string>>;

/// What of a text a terminal shows as it is, on one line: it comes from routers and clients, among others.
[[nodiscard]] std::string plain(std::string_view text);

/// The same, where it may say how a guard is lifted: by this tool's option instead of the API's call.
[[nodiscard]] std::string plain_advice(std::string_view text);

/// Columns, each as wide as what is in it. The first row is the heading. Whatever is in them is shown plainly.
/// What is in the last column is cut where a line gets longer than `columns_max`; 0: nothing is cut.
[[nodiscard]] std::string table_of(const rows& all, std::size_t columns_max = 0);

/// The text of a member, by its path; empty where there is none.
[[nodiscard]] std::string text_at(const wire::node& of, std::initializer_list<std::string_view> path);
[[nodiscard]] inline std::string text_at(const wire::node& of, std::string_view name) { return text_at(of, {name}); }
/// The items of a list; none where there is no such list.
[[nodiscard]] const std::vector<wire::node>& items_of(const wire::node& of, std::string_view name);

/// `1 key`, `2 keys`.
[[nodiscard]] std::string plural(const std::string& count, std::string_view what);

/// How long ago routers confirmed what they run, as the API tells it; empty where none did.
[[nodiscard]] std::string ages_text(const wire::node& drift);

/// What a change does, as the API tells it.
[[nodiscard]] std::string radius_text(const wire::node& of);

}  // namespace cellroute::tool
