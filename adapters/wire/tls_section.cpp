#include "adapters/wire/tls_section.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cellroute/base/ascii.hpp"

namespace cellroute::wire {
namespace {

constexpr std::size_t host_bytes_max = 253;  // RFC 1035 section 2.3.4, without the root's dot
constexpr std::size_t label_bytes_max = 63;

bool is_label(std::string_view label) {
  const auto may_stand = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return !label.empty() && label.size() <= label_bytes_max && label.front() != '-' && label.back() != '-' &&
         std::ranges::all_of(label, may_stand);
}

std::size_t count_labels(std::string_view host) {
  std::size_t labels = 0;
  for (;;) {
    const std::size_t end = host.find('.');
    if (!is_label(host.substr(0, end))) return 0;
    ++labels;
    if (end == std::string_view::npos) return labels;
    host.remove_prefix(end + 1);
  }
}

/// The value of a name in a list of names, as the tree has it; null where it is no list.
const node* item_at(const node* list, std::size_t index) {
  if (list == nullptr || list->kind != node_kind::list || index >= list->children.size()) return nullptr;
  return &list->children[index];
}

}  // namespace

parsed<std::string> parse_host_pattern(std::string_view text) {
  std::string host = lowered(text);
  const bool any = host.starts_with("*.");
  const std::size_t labels =
      host.size() > host_bytes_max ? 0 : count_labels(std::string_view(host).substr(any ? 2 : 0));
  if (labels == 0) return unexpected<std::string_view>("must be a host name such as www.example.com or *.example.com");
  if (any && labels < 2) {
    return unexpected<std::string_view>("must have two labels behind the star, as *.example.com has");
  }
  return host;
}

parsed<std::string> parse_server_name(std::string_view text) {
  std::string host = lowered(text);
  const bool is_v6 =
      host.find(':') != std::string::npos && host.find_first_not_of("0123456789abcdef:.") == std::string::npos;
  if (is_v6 || (host.size() <= host_bytes_max && count_labels(host) > 0)) return host;
  return unexpected<std::string_view>("must be a host name or an address, without a port");
}

void check_together(section& at, const listener_tls_settings& tls) {
  const node* const certificates = at.find("certificates");
  struct place {
    std::size_t certificate;
    std::string_view name;
  };
  std::vector<place> seen;
  for (std::size_t i = 0; i < tls.certificates.size(); ++i) {
    const node* const written = item_at(certificates, i);
    for (std::size_t k = 0; written != nullptr && k < tls.certificates[i].names.size(); ++k) {
      const std::string& name = tls.certificates[i].names[k];
      const node* const item = item_at(written->find("names"), k);
      const auto other = std::ranges::find(seen, name, &place::name);
      if (item != nullptr && !name.empty() && other != seen.end()) {
        at.mistakes().add(item->at, fmt::format("{}.names[{}]", at.item_path("certificates", i), k),
                          fmt::format("{} is a name of certificates[{}], too; give it to one of them", quote(name),
                                      other->certificate));
      }
      seen.push_back({i, name});
    }
  }
  const node* const clients = at.find("client_auth");
  const node* const authority = clients == nullptr ? nullptr : clients->find("ca_file");
  if (tls.client_auth.mode == client_auth_mode::off && authority != nullptr && !tls.client_auth.ca_file.empty() &&
      clients->find("mode") != nullptr && is_off(clients->find("mode")->text)) {
    at.mistakes().add(authority->at, at.path("client_auth") + ".ca_file",
                      "has no effect while mode is off; set mode to optional or required, or remove it");
  }
}

void check_together(section& at, const link_tls_settings& tls) {
  if (!tls.cert_file.empty()) at.require("key_file", "key_file: certs/router.key");
  if (!tls.key_file.empty()) at.require("cert_file", "cert_file: certs/router.pem");
}

}  // namespace cellroute::wire
