#include "gateways/git/git_over_ssh.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <utility>

namespace slipway::gateways::git {

using messages::errc;
using messages::fail;
using messages::result;

namespace {

/// How git's end reaches the connection's thread; git may outlive the connection by a moment.
struct ending {
  storage::unique_fd event{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::atomic<bool> over{false};
  std::atomic<int> status{0};

  void tell(int code) {
    status = code;
    over = true;
    const std::uint64_t one = 1;
    (void)!::write(event.get(), &one, sizeof one);
  }
};

class git_program final : public ssh::program {
public:
  git_program(git_sessions::session session, std::shared_ptr<ending> end)
    : process_(std::move(session.process)), end_(std::move(end)) {
    remark = std::move(session.remark);
    input_bytes_max = session.input_bytes_max;
    input = std::move(process_.input);
    output = std::move(process_.output);
    errors = std::move(process_.errors);
  }
  int over() const override { return end_->event.get(); }
  std::optional<int> status() const override {
    return end_->over ? std::optional<int>(end_->status) : std::nullopt;
  }

private:
  git_process process_;
  std::shared_ptr<ending> end_;
};

}  // namespace

result<std::unique_ptr<ssh::program>> run_git_over_ssh(
  git_sessions& sessions,
  const ssh::exec_request& r) {
  auto wanted = parse_command(r.command);
  if (!wanted) {
    return fail(
      errc::unsupported,
      "only git is served here: git clone ssh://HOST/organization/fleet.git");
  }
  const auto end = std::make_shared<ending>();
  session_request request;
  request.what = wanted->what;
  request.slug = std::move(wanted->slug);
  request.who = r.by.who;
  request.protocol = clean_protocol(r.git_protocol);
  request.hand_out_errors = true;
  request.ended = [end](int status) { end->tell(status); };
  auto started = sessions.start(std::move(request));
  if (!started) {
    return tl::unexpected(started.error());
  }
  return std::make_unique<git_program>(std::move(*started), end);
}

}  // namespace slipway::gateways::git
