#include "domain/access.hpp"
#include "domain/build_life.hpp"
#include "domain/release_images.hpp"
#include "domain/rule_hooks.hpp"
#include "domain/rules.hpp"
#include "messages/json.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

/// What a build does to the rows of its fleet: all of a step in one commit (docs/protocols/builder.md).
namespace slipway::domain {
namespace {

using hooks::broken;
using hooks::checked;
using messages::as_int;
using messages::as_text;
using messages::field;
using messages::field_value;
using messages::json_text;
using messages::row;
using messages::value;

constexpr std::size_t error_bytes_max = 4'000;
constexpr std::size_t log_bytes_max = 1'000'000;
constexpr std::size_t dockerfile_bytes_max = 1'000'000;

const numbers::table& n() {
  return numbers::get();
}

const messages::requester& platform() {
  static const auto by = [] {
    messages::requester r;
    r.kind = messages::requester_kind::platform;
    return r;
  }();
  return by;
}

/// The start of a text that is too long, cut between characters.
std::string head_of(const std::string& text, std::size_t bytes_max) {
  auto end = std::min(text.size(), bytes_max);
  while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
    --end;
  }
  return text.substr(0, end);
}

std::string tail_of(const std::string& text, std::size_t bytes_max) {
  auto from = text.size() - std::min(text.size(), bytes_max);
  while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xC0U) == 0x80U) {
    ++from;
  }
  return text.substr(from);
}

value text_or_null(std::string text) {
  return text.empty() ? value{} : value(std::move(text));
}

value json_or_null(const std::string& text) {
  return text.empty() ? value{} : value(json_text{text});
}

class starting {
public:
  starting(draft& d, const rule_context& c, const messages::start_build& cmd)
    : d_(d), c_(c), cmd_(cmd) {}

  decision run() {
    const auto& a = n().application;
    const auto fleet = d_.get(a.resource, c_.entity.id);
    const auto& def = *d_.model().find(a.resource);
    const access rights(d_.model(), cmd_.by, d_);
    if (!fleet || !rights.may_see(def, *fleet)) {
      return messages::fail(messages::errc::not_found, "no such fleet");
    }
    if (!rights.may_do(action::push_image, def, *fleet)) {
      return messages::fail(messages::errc::unauthorized, "not permitted to build for this fleet");
    }
    auto release = make_release();
    if (!release) {
      return release;
    }
    auto progress = nlohmann::json::array();
    for (const auto& s : cmd_.plan.services) {
      if (auto image = make_image(s, *release); !image) {
        return tl::unexpected(messages::with_context("service " + s.name, image.error()));
      }
      progress.push_back({{"name", s.name}, {"status", build_status::queued}});
    }
    const auto& b = n().build;
    return make(
      b.resource,
      {{b.release, *release},
       {b.status, std::string(build_status::queued)},
       {b.source, cmd_.source},
       {b.git_ref, text_or_null(cmd_.ref)},
       {b.attempt, std::int64_t{1}},
       {b.start_timestamp, d_.now()},
       {b.services, json_text{messages::dump_json(progress)}}});
  }

private:
  decision make(std::uint16_t resource, std::vector<field_value> values) {
    return decide(d_, c_, messages::create_row{platform(), resource, std::move(values), {}});
  }

  decision make_release() {
    const auto& r = n().release;
    std::vector<field_value> values{
      {r.belongs_to__application, c_.entity.id},
      {r.commit, cmd_.commit},
      {r.composition, json_text{cmd_.plan.composition}},
      {r.contract, json_or_null(cmd_.plan.contract)},
      {r.status, std::string("running")},
      {r.source, std::string("cloud")},
      {r.start_timestamp, d_.now()},
      {r.is_final, !cmd_.draft}};
    if (cmd_.by.kind == messages::requester_kind::user) {
      values.push_back({r.is_created_by__user, cmd_.by.id});
    }
    if (!cmd_.plan.semver.empty()) {
      values.push_back({r.semver, cmd_.plan.semver});
    }
    return make(r.resource, std::move(values));
  }

  decision service_row(const std::string& name) {
    const auto& s = n().service;
    const std::array<value, 2> key{c_.entity.id, name};
    if (const auto known = d_.first(s.resource, first_composite, key)) {
      return *known;
    }
    return make(s.resource, {{s.application, c_.entity.id}, {s.service_name, name}});
  }

  decision make_image(const messages::service_plan& plan, std::int64_t release) {
    const auto service = service_row(plan.name);
    if (!service) {
      return service;
    }
    const auto& i = n().image;
    const auto image = make(
      i.resource,
      {{i.is_a_build_of__service, *service},
       {i.status, std::string("running")},
       {i.start_timestamp, d_.now()},
       {i.project_type, text_or_null(plan.project_type)},
       {i.dockerfile, text_or_null(head_of(plan.dockerfile_text, dockerfile_bytes_max))},
       {i.contract, json_or_null(plan.contract)}});
    if (!image) {
      return image;
    }
    const auto& l = n().release_image;
    const auto link = make(l.resource, {{l.image, *image}, {l.is_part_of__release, release}});
    if (!link) {
      return link;
    }
    for (const auto& label : plan.labels) {
      const auto made = make(
        n().image_label.resource,
        {{hooks::keyed_parent, *link},
         {hooks::keyed_key, label.name},
         {hooks::keyed_value, label.value}});
      if (!made) {
        return tl::unexpected(messages::with_context("label " + label.name, made.error()));
      }
    }
    return image;
  }

  draft& d_;
  const rule_context& c_;
  const messages::start_build& cmd_;
};

class advancing {
public:
  advancing(draft& d, const rule_context& c, const messages::advance_build& cmd)
    : d_(d), c_(c), cmd_(cmd) {}

  decision run() {
    const auto& b = n().build;
    const auto build = d_.get(b.resource, cmd_.build);
    if (!build) {
      return messages::fail(messages::errc::not_found, "no such build");
    }
    const auto before = as_text(field(*build, b.status));
    const auto after = cmd_.status.empty() ? before : cmd_.status;
    if (!may_follow(before, after)) {
      return broken("a build that is " + before + " does not become " + after + ".");
    }
    const auto release = as_int(field(*build, b.release));
    auto ok = move_images(release, after);
    if (ok) {
      ok = move_build(*build, after);
    }
    if (ok && after != before && (is_over(after))) {
      ok = end_release(release, after);
    }
    return ok ? decision(cmd_.build) : tl::unexpected(ok.error());
  }

private:
  checked change(std::uint16_t resource, std::int64_t id, std::vector<field_value> values) {
    const auto done =
      decide(d_, c_, messages::change_row{platform(), resource, id, std::move(values), {}});
    return done ? checked{} : tl::unexpected(done.error());
  }

  checked move_build(const row& build, const std::string& after) {
    const auto& b = n().build;
    std::vector<field_value> values{{b.status, after}};
    if (!cmd_.worker.empty()) {
      values.push_back({b.worker, cmd_.worker});
    }
    if (cmd_.attempt != 0) {
      values.push_back({b.attempt, cmd_.attempt});
    }
    if (!cmd_.error.empty()) {
      values.push_back({b.error_message, head_of(cmd_.error, error_bytes_max)});
    }
    if (is_over(after)) {
      values.push_back({b.end_timestamp, d_.now()});
    }
    values.push_back({b.services, json_text{services_after(build, after)}});
    return change(b.resource, cmd_.build, std::move(values));
  }

  /// The services as the row shows them, with what is new. A retry begins anew; the end of a build is the end of its services.
  std::string services_after(const row& build, const std::string& after) const {
    auto all = nlohmann::json::parse(as_text(field(build, n().build.services)), nullptr, false);
    if (!all.is_array()) {
      all = nlohmann::json::array();
    }
    for (auto& shown : all) {
      const auto name = shown.value("name", "");
      const auto& news = cmd_.services;
      const auto at =
        std::find_if(news.begin(), news.end(), [&](const auto& s) { return s.name == name; });
      if (after == build_status::queued) {
        shown = {{"name", name}, {"status", build_status::queued}};
      } else if (at != news.end()) {
        shown["status"] = at->status;
        shown["started"] = at->started;
        shown["ended"] = at->ended;
        shown["image_bytes"] = at->image_bytes;
        shown["cached"] = at->cached;
        if (!at->error.empty()) {
          shown["error"] = head_of(at->error, error_bytes_max);
        }
      }
      const auto status = shown.value("status", "");
      if (
        (after == build_status::failed || after == build_status::cancelled) && status != "success"
        && status != "failed") {
        shown["status"] = build_status::cancelled;
      }
    }
    return messages::dump_json(all);
  }

  checked move_images(std::int64_t release, const std::string& after) {
    const bool again = after == build_status::queued;
    for (const auto& [service, image] : images_of_release(d_, release)) {
      const auto at =
        std::find_if(cmd_.services.begin(), cmd_.services.end(), [&name = service](const auto& s) {
          return s.name == name;
        });
      const bool open = as_text(field(image, n().image.status)) == "running";
      auto values = again                               ? begun_again()
                    : open && at != cmd_.services.end() ? news_of(*at)
                                                        : std::vector<field_value>{};
      const bool ended_now =
        at != cmd_.services.end() && (at->status == "success" || at->status == "failed");
      if (open && !ended_now && is_over(after) && after != build_status::released) {
        values.push_back({n().image.status, std::string("cancelled")});
        values.push_back({n().image.end_timestamp, d_.now()});
      }
      if (!values.empty()) {
        const auto ok = change(n().image.resource, messages::id_of(image), std::move(values));
        if (!ok) {
          return tl::unexpected(messages::with_context("image of " + service, ok.error()));
        }
      }
    }
    return {};
  }

  static std::vector<field_value> begun_again() {
    const auto& i = n().image;
    return {
      {i.status, std::string("running")},
      {i.error_message, {}},
      {i.end_timestamp, {}},
      {i.push_timestamp, {}},
      {i.content_hash, {}}};
  }

  [[nodiscard]] std::vector<field_value> news_of(const messages::service_progress& s) const {
    const auto& i = n().image;
    std::vector<field_value> values;
    if (s.status == "success") {
      values = {
        {i.status, std::string("success")},
        {i.push_timestamp, d_.now()},
        {i.content_hash, s.content_hash},
        {i.image_size, s.image_bytes}};
    } else if (s.status == "failed") {
      values = {
        {i.status, std::string("failed")},
        {i.error_message, head_of(s.error, error_bytes_max)}};
    } else {
      return {};
    }
    values.push_back({i.start_timestamp, s.started == 0 ? d_.now() : s.started});
    values.push_back({i.end_timestamp, s.ended == 0 ? d_.now() : s.ended});
    if (!s.build_log.empty()) {
      values.push_back({i.build_log, tail_of(s.build_log, log_bytes_max)});
    }
    return values;
  }

  checked end_release(std::int64_t id, const std::string& after) {
    const auto& r = n().release;
    const auto release = d_.get(r.resource, id);
    const auto status = release ? as_text(field(*release, r.status)) : std::string("cancelled");
    const bool good = after == build_status::released;
    if (status != "running") {
      // Somebody ended it before: only a success would be a lie.
      return good ? checked(broken("the release is " + status + " already.")) : checked{};
    }
    std::vector<field_value> values{
      {r.status, good ? std::string("success") : after},
      {r.end_timestamp, d_.now()}};
    if (!cmd_.log.empty()) {
      values.push_back({r.build_log, tail_of(cmd_.log, log_bytes_max)});
    }
    return change(r.resource, id, std::move(values));
  }

  draft& d_;
  const rule_context& c_;
  const messages::advance_build& cmd_;
};

}  // namespace

decision decide(draft& d, const rule_context& c, const messages::start_build& cmd) {
  return starting(d, c, cmd).run();
}

decision decide(draft& d, const rule_context& c, const messages::advance_build& cmd) {
  return advancing(d, c, cmd).run();
}

}  // namespace slipway::domain
