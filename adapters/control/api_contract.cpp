#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "adapters/control/api_parts.hpp"
#include "cellroute/base/ascii.hpp"

// What openapi.json says, where the API goes by it.
namespace cellroute::control {
namespace {

using names_by_route = std::map<std::pair<std::string_view, std::string_view>, std::vector<std::string>>;

const wire::node* inside(const wire::node* of, std::string_view name) {
  return of == nullptr ? nullptr : of->find(name);
}

/// A parameter, or what it is a reference to.
const wire::node* parameter_of(const wire::node& root, const wire::node& written) {
  const wire::node* const reference = written.find("$ref");
  if (reference == nullptr) return &written;
  const std::string_view path = reference->text;
  return inside(inside(inside(&root, "components"), "parameters"), path.substr(path.rfind('/') + 1));
}

std::vector<std::string> query_names_in(const wire::node& root, const route_row& route) {
  std::vector<std::string> names;
  const wire::node* const operation = inside(inside(inside(&root, "paths"), route.pattern), lowered(route.method));
  const wire::node* const parameters = inside(operation, "parameters");
  if (parameters == nullptr) return names;
  for (const wire::node& each : parameters->children) {
    const wire::node* const parameter = parameter_of(root, each);
    const wire::node* const where = inside(parameter, "in");
    const wire::node* const name = inside(parameter, "name");
    if (where != nullptr && name != nullptr && where->text == "query") names.push_back(name->text);
  }
  return names;
}

names_by_route read_names() {
  names_by_route all;
  const auto root = wire::read_json(openapi_document(), "openapi.json");
  if (!root) return all;  // then none has a parameter
  for (const route_row& route : api_routes()) all[{route.method, route.pattern}] = query_names_in(*root, route);
  return all;
}

}  // namespace

std::span<const std::string> query_names_of(const route_row& route) {
  static const names_by_route all = read_names();
  const auto found = all.find({route.method, route.pattern});
  return found == all.end() ? std::span<const std::string>{} : std::span<const std::string>(found->second);
}

}  // namespace cellroute::control
