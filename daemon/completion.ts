import type { Command } from 'commander';

/** One place in the tree of commands, and what may follow there. */
interface Place {
  /** Names of the commands that lead here, for example `kv get`; empty at the top. */
  readonly path: string;
  readonly commands: readonly Command[];
  readonly words: readonly string[];
}

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** A completion script for the whole tree of commands. */
export function completionScript(shell: Shell, program: Command): string {
  const places = [...placesOf(program, '', flagsOf(program))];
  switch (shell) {
    case 'bash':
      return bash(places);
    case 'zsh':
      // zsh runs bash's completion functions.
      return `autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n${bash(places)}`;
    case 'fish':
      return fish(places);
  }
}

const flagsOf = (command: Command): string[] =>
  command.options.flatMap(({ long, hidden }) => (typeof long === 'string' && !hidden ? [long] : []));

function* placesOf(command: Command, path: string, globalFlags: readonly string[]): Generator<Place> {
  const flags = path === '' ? globalFlags : [...flagsOf(command), ...globalFlags];
  yield { path, commands: command.commands, words: [...command.commands.map((child) => child.name()), ...flags, '--help'] };
  for (const child of command.commands) yield* placesOf(child, `${path} ${child.name()}`.trim(), globalFlags);
}

function bash(places: readonly Place[]): string {
  const steps = places.filter(({ path }) => path !== '').map(({ path }) => `"${path.includes(' ') ? path : ` ${path}`}"`);
  const cases = places.map(({ path, words }) => `    "${path}") words="${words.join(' ')}" ;;`);
  return `_quorate() {
  local path="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path \${COMP_WORDS[i]}" in
    ${steps.join(' | ')}) path="\${path:+$path }\${COMP_WORDS[i]}" ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _quorate quorate
`;
}

function fish(places: readonly Place[]): string {
  const lines = ['complete -c quorate -f'];
  for (const { path, commands, words } of places) {
    const seen = path === '' ? [] : path.split(' ').map((word) => `__fish_seen_subcommand_from ${word}`);
    const next = commands.length === 0 ? [] : [`not __fish_seen_subcommand_from ${commands.map((child) => child.name()).join(' ')}`];
    const condition = [...seen, ...next].join('; and ');
    const on = condition === '' ? '' : ` -n '${condition}'`;
    for (const word of words) lines.push(`complete -c quorate${on} ${word.startsWith('--') ? `-l ${word.slice(2)}` : `-a ${word}`}`);
  }
  return `${lines.join('\n')}\n`;
}
