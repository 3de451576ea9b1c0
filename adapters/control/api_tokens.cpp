#include <fmt/format.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "adapters/control/api_parts.hpp"
#include "adapters/wire/scalars.hpp"

// Who may come in.
namespace cellroute::control {
namespace {

constexpr duration lifetime_max = 366 * 24h;
constexpr std::size_t name_bytes_max = 200;
constexpr std::size_t tokens_max = 10'000;

/// Bytes that nobody can guess, as hexadecimal digits.
template <std::size_t Size>
std::string secret_digits() {
  std::array<unsigned char, Size> bytes;
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) std::abort();  // nothing here is safe then
  std::string out;
  for (const unsigned char each : bytes) out += fmt::format("{:02x}", each);
  return out;
}

void write_token(process::json_writer& out, const token_record& token, std::string_view secret = {}) {
  out.begin_object().field("id", token.id).field("name", token.name).field("role", token.role);
  out.name("placements").value(std::span<const std::string>(token.placements));
  out.field("key_prefix", token.key_prefix).field("created", token.created).field("expires", token.expires);
  if (!secret.empty()) out.field("secret", secret);
  out.end_object();
}

answer no_token() { return problem_answer(404, "unknown", "there is no token of that id"); }

}  // namespace

answer list_tokens(call& c) {
  auto asked = paging_of(c);
  if (!asked) return std::move(asked).error();
  const std::lock_guard lock(c.state.tokens_lock);
  std::vector<const token_record*> found;
  for (const token_record& each : c.state.tokens) {
    if (each.id > asked->cursor) found.push_back(&each);
  }
  std::ranges::sort(found, {}, [](const token_record* each) -> const std::string& { return each->id; });
  const bool has_more = found.size() > asked->limit;
  if (has_more) found.resize(asked->limit);
  std::string body;
  process::json_writer out(body);
  out.begin_object().name("tokens").begin_array();
  for (const token_record* each : found) write_token(out, *each);
  out.end_array();
  if (has_more) out.field("next", cursor_of(found.back()->id));
  out.end_object();
  return json_answer(200, std::move(body));
}

answer get_token(call& c) {
  const std::lock_guard lock(c.state.tokens_lock);
  const auto found = std::ranges::find(c.state.tokens, c.param(0), &token_record::id);
  if (found == c.state.tokens.end()) return no_token();
  std::string body;
  process::json_writer out(body);
  write_token(out, *found);
  return json_answer(200, std::move(body));
}

answer add_token(call& c) {
  auto body = json_body(c);
  if (!body) return std::move(body).error();
  wire::mistake_list mistakes("body");
  token_record token;
  duration lifetime{};
  {
    wire::section said(*body, "", mistakes);
    said.text("name", token.name);
    said.text("role", token.role);
    said.require("role", "\"role\": \"publisher\"");
    said.list("placements", token.placements, wire::parse_listed_name);
    said.text_if("key_prefix", token.key_prefix);
    said.time("expires_in", lifetime, 1s);
    said.require("expires_in", "\"expires_in\": \"720h\"");
  }
  const auto who = read_role(token.role);
  if (!token.role.empty() && !who)
    mistakes.add({}, "role", "must be one of viewer, publisher, operator, admin, router");
  if (lifetime > lifetime_max) mistakes.add({}, "expires_in", "must be at most a year");
  if (token.name.size() > name_bytes_max || token.key_prefix.size() > key_size_max)
    mistakes.add({}, "", "a name has at most 200 bytes, a key_prefix at most 256");
  const bool is_bound = !token.placements.empty() || !token.key_prefix.empty();
  const bool has_rows = who == role::viewer || who == role::publisher;
  if (who && is_bound && !has_rows) {
    mistakes.add({}, "role",
                 "only a viewer or a publisher can be bound to placements or to a key_prefix: what others may do is "
                 "about all rows");
  }
  if (!mistakes.found().empty()) return mistakes_answer(mistakes);
  const std::string secret = "cellroute_" + secret_digits<32>();
  token.id = secret_digits<8>();
  token.hash = sync::sha256(bytes_of(secret));
  token.created = c.now;
  token.expires = c.now + lifetime;

  registry::turn turn = c.state.of.begin();
  if (auto again = replay(c, turn.stored().reading())) return *std::move(again);
  std::string text;
  std::string kept;  // without the secret, which is nowhere
  process::json_writer told(text);
  write_token(told, token, secret);
  process::json_writer remembered(kept);
  write_token(remembered, token);
  kept_answer once{c.once.value_or(idempotency_key{}), 201, std::move(kept)};
  // Those who only look wait for no disk; there is one at a time who writes.
  const auto is_full = [&] {
    const std::lock_guard lock(c.state.tokens_lock);
    return c.state.tokens.size() >= tokens_max;
  };
  if (is_full()) return problem_answer(409, "in_use", "there are too many tokens; remove those that are over");
  const auto done = turn.stored().add_token(token, c.who.name, c.now, c.once ? &once : nullptr);
  if (!done) return problem_answer(done.error());
  answer made = json_answer(201, std::move(text));
  made.headers.emplace_back("Location", "/v1/tokens/" + token.id);
  made.headers.emplace_back("Cache-Control", "no-store");
  const std::lock_guard lock(c.state.tokens_lock);
  c.state.tokens.push_back(std::move(token));
  return made;
}

answer delete_token(call& c) {
  registry::turn turn = c.state.of.begin();
  const auto done = turn.stored().remove_token(c.param(0), c.who.name, c.now);
  if (!done) return done.error().what == store_error::not_found ? no_token() : problem_answer(done.error());
  const std::lock_guard lock(c.state.tokens_lock);
  std::erase_if(c.state.tokens, [&](const token_record& each) { return each.id == c.param(0); });
  answer made;
  made.status = 204;
  return made;
}

}  // namespace cellroute::control
