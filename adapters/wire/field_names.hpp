#pragma once

#include <map>
#include <string>

#include "adapters/wire/configuration.hpp"
#include "adapters/wire/section.hpp"

namespace cellroute::wire {

/// Reads every section of `c.source` into `c`; rules are not run.
void read_sections(configuration& c, mistake_list& mistakes);

/// The path of each field that the reader of the schema asks for, and what stands there. `*` is a name that the
/// operator chooses, `[]` any item of a list: `placements.*.endpoints[].url`.
///
/// The list is what the reader itself asks: it is given a document that has every container it asked for until it asks
/// for nothing new. Names that are refused as not supported yet are not among them.
[[nodiscard]] std::map<std::string, field_kind> field_names();

/// The paths that are asked for when this document is read, with the names and indices that it has.
[[nodiscard]] std::map<std::string, field_kind> field_names_in(const node& document);

/// Whether further names or items stand below a field.
[[nodiscard]] bool has_fields_below(const std::map<std::string, field_kind>& fields, const std::string& path);

}  // namespace cellroute::wire
