#include "storage/collector.hpp"

#include <algorithm>

namespace slipway::storage {

using messages::errc;
using messages::fail;
using messages::result;

namespace {

std::string doomed_key(char kind, std::string_view repository, std::string_view digest) {
  return std::string(1, kind).append(repository).append(1, '\0').append(digest);
}

const char* name_of(int phase) {
  constexpr const char* names[] = {"repositories", "manifests", "links", "blobs", "over"};
  return names[phase];
}

}  // namespace

collector::collector(
  blob_store& blobs,
  repository_store& repositories,
  linked_blobs& links,
  repository_user used_by,
  collector_options o)
  : blobs_(blobs),
    repositories_(repositories),
    links_(links),
    used_by_(std::move(used_by)),
    options_(o) {
  report_.dry_run = o.dry_run;
  report_.phase = name_of(0);
}

bool collector::step(std::int64_t now_ms) {
  if (report_.started_ms == 0) {
    report_.started_ms = now_ms;
    // Of the whole run, so that a blob is judged by the same moment as the manifest that needed it.
    before_ms_ = now_ms - options_.grace_ms;
  }
  auto done = result<void>{};
  switch (phase_) {
    case phase::repositories:
      done = look_at_repositories(now_ms);
      break;
    case phase::manifests:
      done = look_at_manifests(now_ms);
      break;
    case phase::links:
      done = look_at_links(now_ms);
      break;
    case phase::blobs:
      done = look_at_blobs();
      break;
    case phase::over:
      break;
  }
  if (!done) {
    // Nothing is half done: what went was needed by nothing, and the next run finds the rest.
    report_.failed = done.error().detail;
    phase_ = phase::over;
  }
  report_.phase = name_of(static_cast<int>(phase_));
  report_.done = phase_ == phase::over;
  report_.ended_ms = report_.done ? now_ms : 0;
  return !report_.done;
}

result<void> collector::enter(phase next) {
  cursor_.clear();
  went_in_this_pass_ = false;
  phase_ = next;
  // A blob must not go before the disk knows that nothing links it.
  return next == phase::blobs && !options_.dry_run ? repositories_.sync() : result<void>{};
}

void collector::tell(collected_item item) {
  if (report_.items.size() < options_.told_max) {
    report_.items.push_back(std::move(item));
  }
}

result<void> collector::doom(std::string key) {
  if (doomed_.size() >= options_.doomed_max) {
    return fail(errc::too_large, "a dry run of so much garbage takes too much memory");
  }
  doomed_.insert(std::move(key));
  return {};
}

result<void> collector::look_at_repositories(std::int64_t now_ms) {
  const auto names = repositories_.repositories(cursor_, options_.rows_per_step);
  if (!names) {
    return tl::unexpected(names.error());
  }
  for (const auto& name : *names) {
    const auto use = used_by_(name);
    const auto since = repositories_.forgotten_since(name);
    if (!use || !since) {
      return tl::unexpected(use ? since.error() : use.error());
    }
    const auto mark = use->known ? 0 : *since == 0 ? now_ms : *since;
    if (mark != *since && !options_.dry_run) {
      if (auto marked = repositories_.set_forgotten_since(name, mark); !marked) {
        return marked;
      }
    }
    // With a grace period of nothing, what is found out now goes now.
    if (mark != 0 && mark <= before_ms_) {
      forgotten_.insert(name);
      ++report_.repositories;
      tell({"repository", name, "", 0, "no image is stored at it any more"});
    }
  }
  report_.looked_at += names->size();
  if (names->size() < options_.rows_per_step) {
    return enter(phase::manifests);
  }
  cursor_ = names->back();
  return {};
}

result<bool> collector::held(const held_item& item) const {
  // More than one only matters to a dry run, where some of them may be doomed.
  const auto who = repositories_.holders(item.repository, item.id, options_.dry_run ? 1000 : 1);
  if (!who) {
    return tl::unexpected(who.error());
  }
  return std::any_of(who->begin(), who->end(), [&](const std::string& w) {
    return w[0] == 't' || !doomed(doomed_key('m', item.repository, w.substr(1)));
  });
}

result<bool> collector::manifest_needed(const held_item& m) {
  if (use_of_ != m.repository) {
    auto use = used_by_(m.repository);
    if (!use) {
      return tl::unexpected(use.error());
    }
    use_ = std::move(*use);
    use_of_ = m.repository;
  }
  // One that nobody knows goes as a whole, later, or is known again by then.
  const auto& digests = use_.manifests;
  if (
    !use_.known || use_.keep_all
    || std::find(digests.begin(), digests.end(), m.id.text) != digests.end()) {
    return true;
  }
  if (!m.subject.empty() && !doomed(doomed_key('m', m.repository, m.subject))) {
    const auto subject = repositories_.manifest(m.repository, digest{m.subject});
    if (subject || subject.error().code != errc::manifest_unknown) {
      return true;
    }
  }
  return held(m);
}

result<void> collector::look_at_manifests(std::int64_t) {
  const auto page = repositories_.manifests_after(cursor_, options_.rows_per_step);
  if (!page) {
    return tl::unexpected(page.error());
  }
  items unneeded;
  items of_forgotten;
  for (const auto& m : *page) {
    const bool old = m.touched_ms < before_ms_;
    if (!old || doomed(doomed_key('m', m.repository, m.id.text))) {
      continue;
    }
    if (forgotten(m.repository)) {
      of_forgotten.push_back(m);
      continue;
    }
    const auto needed = manifest_needed(m);
    if (!needed) {
      return tl::unexpected(needed.error());
    }
    if (!*needed) {
      unneeded.push_back(m);
    }
  }
  report_.looked_at += page->size();
  auto done = manifests_gone(std::move(unneeded), false);
  done = done ? manifests_gone(std::move(of_forgotten), true) : done;
  if (!done || page->size() == options_.rows_per_step) {
    return done;
  }
  // What an index needed is needed no more once the index is gone: again, until nothing went.
  return enter(went_in_this_pass_ ? phase::manifests : phase::links);
}

result<void> collector::manifests_gone(items candidates, bool whole_repository) {
  if (candidates.empty()) {
    return {};
  }
  auto gone = options_.dry_run
                ? result<items>(std::move(candidates))
                : repositories_.collect_manifests(candidates, before_ms_, whole_repository);
  if (!gone) {
    return tl::unexpected(gone.error());
  }
  for (const auto& m : *gone) {
    went_in_this_pass_ = true;
    ++report_.manifests;
    tell(
      {"manifest",
       m.repository,
       m.id.text,
       m.size,
       whole_repository ? "its repository goes" : "no tag, index, subject or release needs it"});
    if (options_.dry_run) {
      ++doomed_links_[m.id.text];
      if (auto kept = doom(doomed_key('m', m.repository, m.id.text)); !kept) {
        return kept;
      }
    }
  }
  return {};
}

result<void> collector::look_at_links(std::int64_t) {
  const auto page = repositories_.blobs_after(cursor_, options_.rows_per_step);
  if (!page) {
    return tl::unexpected(page.error());
  }
  items unneeded;
  items of_forgotten;
  for (const auto& b : *page) {
    if (b.touched_ms >= before_ms_) {
      continue;
    }
    if (forgotten(b.repository)) {
      of_forgotten.push_back(b);
      continue;
    }
    const auto needed = held(b);
    if (!needed) {
      return tl::unexpected(needed.error());
    }
    if (!*needed) {
      unneeded.push_back(b);
    }
  }
  report_.looked_at += page->size();
  auto done = links_gone(std::move(unneeded), false);
  done = done ? links_gone(std::move(of_forgotten), true) : done;
  return !done || page->size() == options_.rows_per_step ? done : enter(phase::blobs);
}

result<void> collector::links_gone(items candidates, bool whole_repository) {
  if (candidates.empty()) {
    return {};
  }
  auto gone = options_.dry_run
                ? result<items>(std::move(candidates))
                : repositories_.collect_blobs(candidates, before_ms_, whole_repository);
  if (!gone) {
    return tl::unexpected(gone.error());
  }
  for (const auto& b : *gone) {
    ++report_.links;
    tell(
      {"link",
       b.repository,
       b.id.text,
       b.size,
       whole_repository ? "its repository goes" : "no manifest of the repository needs it"});
    if (options_.dry_run) {
      ++doomed_links_[b.id.text];
    }
  }
  return {};
}

result<void> collector::look_at_blobs() {
  const auto page = blobs_.list(digest{cursor_}, options_.rows_per_step);
  if (!page) {
    return tl::unexpected(page.error());
  }
  for (const auto& d : *page) {
    const auto doomed_links = doomed_links_.find(d.text);
    const auto going = doomed_links == doomed_links_.end() ? 0 : doomed_links->second;
    const auto linked = repositories_.links(d, going + 1);
    if (!linked) {
      return tl::unexpected(linked.error());
    }
    if (*linked > going) {
      continue;
    }
    const auto file = blobs_.open(d);
    const auto size = file ? (*file)->size() : 0;
    const auto gone = options_.dry_run ? result<bool>(true) : links_.remove_unless_linked(d);
    if (!gone) {
      return tl::unexpected(gone.error());
    }
    if (*gone) {
      ++report_.blobs;
      report_.bytes += size;
      tell({"blob", "", d.text, size, "no repository holds it"});
    }
  }
  report_.looked_at += page->size();
  if (page->size() < options_.rows_per_step) {
    return enter(phase::over);
  }
  cursor_ = page->back().text;
  return {};
}

}  // namespace slipway::storage
