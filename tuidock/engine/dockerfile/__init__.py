"""The Dockerfile front end: text to instructions with line numbers, words, ignore patterns; pure, knows no disk.

  parser.parse(text, name) -> ast.Dockerfile           everything that can be known without a build
  parser.parse_trigger(text) -> Instruction            an ONBUILD trigger of a base image; parse_line: any one line
  expand.expand_instruction(instruction, env)          $variables and quotes, where docker replaces them
  words.expand(word, lookup, escape) / words.split     one word; the words that one becomes
  arguments                                            ARG: global scope, platforms, proxies, a stage's own
  instructions.apply(config, instruction)              metadata instructions onto an OCI config
  instructions.run_command(instruction, shell)         the command of a RUN, heredocs included
  history.created_by(instruction, config, ...)         what docker writes into an image's history
  mounts.parse_mounts(instruction)                     RUN --mount
  ignore.Patterns(text)                                .dockerignore

Everything raises errors.DockerfileError only.
"""
