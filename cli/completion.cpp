#include "cli/completion.hpp"

namespace slipway::cli {

namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const auto& w : words) {
    all += (all.empty() ? "" : " ") + w;
  }
  return all;
}

/// Single quotes for a shell; our own texts hold none, but a quote must not break the script.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return out + "'";
}

std::string words_after(const command_description& c) {
  auto words = joined(c.subcommands);
  for (const auto& option : c.options) {
    words += (words.empty() ? "" : " ") + option;
  }
  return words;
}

/// Shared by bash and zsh: finds the command typed so far, offers what may follow.
std::string cases(const std::vector<command_description>& commands) {
  std::string out;
  for (const auto& c : commands) {
    out += "    " + quoted(c.path) + ") words=" + quoted(words_after(c)) + " ;;\n";
  }
  return out;
}

std::string bash(const std::vector<command_description>& commands) {
  return "# bash completion for slipway: source <(slipway completion bash)\n"
         "_slipway() {\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} path= words= word\n"
         "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         "    case $word in -*) continue ;; esac\n"
         "    case \" $(_slipway_words \"$path\") \" in\n"
         "      *\" $word \"*) path=\"${path:+$path }$word\" ;;\n"
         "    esac\n"
         "  done\n"
         "  words=$(_slipway_words \"$path\")\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         "  [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- \"$current\"))\n"
         "}\n"
         "_slipway_words() {\n"
         "  local words=\n"
         "  case \"$1\" in\n"
    + cases(commands)
    + "  esac\n"
      "  printf '%s' \"$words\"\n"
      "}\n"
      "complete -F _slipway slipway\n";
}

std::string zsh(const std::vector<command_description>& commands) {
  return "#compdef slipway\n"
         "# zsh completion for slipway: slipway completion zsh > \"${fpath[1]}/_slipway\"\n"
         "_slipway_words() {\n"
         "  local words=\n"
         "  case \"$1\" in\n"
    + cases(commands)
    + "  esac\n"
      "  print -r -- \"$words\"\n"
      "}\n"
      "_slipway() {\n"
      "  local path_so_far= word\n"
      "  for word in \"${(@)words[2,CURRENT-1]}\"; do\n"
      "    [[ $word == -* ]] && continue\n"
      "    if [[ \" $(_slipway_words \"$path_so_far\") \" == *\" $word \"* ]]; then\n"
      "      path_so_far=\"${path_so_far:+$path_so_far }$word\"\n"
      "    fi\n"
      "  done\n"
      "  compadd -- ${=$(_slipway_words \"$path_so_far\")} || _files\n"
      "}\n"
      "if [ \"$funcstack[1]\" = _slipway ]; then _slipway \"$@\"; else compdef _slipway slipway; fi\n";
}

std::string fish(const std::vector<command_description>& commands) {
  std::string out =
    "# fish completion for slipway: slipway completion fish > ~/.config/fish/completions/"
    "slipway.fish\n";
  for (const auto& c : commands) {
    std::string condition;
    for (std::size_t from = 0; from < c.path.size();) {
      const auto blank = std::min(c.path.find(' ', from), c.path.size());
      condition += (condition.empty() ? "" : "; and ")
                   + ("__fish_seen_subcommand_from " + c.path.substr(from, blank - from));
      from = blank + 1;
    }
    const auto when = condition.empty() ? std::string("__fish_use_subcommand") : condition;
    if (!c.subcommands.empty()) {
      const auto not_yet =
        condition.empty() ? when
                          : when + "; and not __fish_seen_subcommand_from " + joined(c.subcommands);
      out += "complete -c slipway -f -n " + quoted(not_yet) + " -a " + quoted(joined(c.subcommands))
             + "\n";
    }
    for (const auto& option : c.options) {
      out += "complete -c slipway" + (condition.empty() ? "" : " -n " + quoted(when)) + " -l "
             + option.substr(2) + "\n";
    }
  }
  return out;
}

}  // namespace

messages::result<std::string> completion_script(
  std::string_view shell,
  const std::vector<command_description>& commands) {
  if (shell == "bash") {
    return bash(commands);
  }
  if (shell == "zsh") {
    return zsh(commands);
  }
  if (shell == "fish") {
    return fish(commands);
  }
  return messages::fail(
    messages::errc::invalid_argument,
    "completions exist for bash, zsh and fish");
}

}  // namespace slipway::cli
