#include "adapters/proxy/request_rules.hpp"

#include "adapters/http1/field_names.hpp"
#include "adapters/proxy/failure.hpp"

namespace cellroute::proxy {
namespace {

std::string list_of(const std::vector<std::string>& methods) {
  std::string list;
  for (const std::string& method : methods) {
    if (!list.empty()) list += ", ";
    list += method;
  }
  return list.empty() ? "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE" : list;
}

}  // namespace

request_rules::request_rules(request_settings given)
    : settings(std::move(given)),
      key{settings.key_header, http1::classify(settings.key_header)},
      request_id(settings.http.request_id),
      allowed_methods(list_of(settings.http.methods)),
      key_missing_message(std::string(outcome_of(failure::key_missing).message) + ": send it in " +
                          settings.key_header),
      sampling(settings.sampling) {}

}  // namespace cellroute::proxy
