#include "gateways/git/head.hpp"

#include "gateways/git/library.hpp"

namespace slipway::gateways::git {

std::vector<std::string> release_refs(std::string_view release_branch) {
  if (release_branch.empty()) {
    return {"refs/heads/main", "refs/heads/master"};
  }
  return {"refs/heads/" + std::string(release_branch)};
}

messages::result<void> point_head(
  const std::string& repository,
  std::span<const std::string> refs) {
  auto opened = open_repository(repository);
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  const auto* wanted = &refs.front();
  for (const auto& ref : refs) {
    git_oid id;
    if (git_reference_name_to_id(&id, opened->get(), ref.c_str()) == 0) {
      wanted = &ref;
      break;
    }
  }
  git_reference* head = nullptr;
  const bool known = git_reference_lookup(&head, opened->get(), "HEAD") == 0;
  const reference_handle owned(head);
  const char* is = known ? git_reference_symbolic_target(head) : nullptr;
  if (is != nullptr && *wanted == is) {
    return {};
  }
  git_reference* made = nullptr;
  if (
    git_reference_symbolic_create(&made, opened->get(), "HEAD", wanted->c_str(), 1, nullptr) != 0) {
    return tl::unexpected(library_error("HEAD"));
  }
  git_reference_free(made);
  return {};
}

}  // namespace slipway::gateways::git
