import { Argument, type Command } from 'commander';
import { completionScript, shells, type Shell } from '../completion.ts';
import type { Context } from '../context.ts';
import { openSession } from '../session.ts';

/** `version` and `completion`. */
export function addToolCommands(program: Command, context: Context): void {
  program
    .command('version')
    .description('the version of this executable')
    .action(async (_flags: unknown, command: Command) => {
      const { version } = await import('../../src/index.ts');
      openSession(command, context).printer.value({ version, node: process.version }, () => `quorate ${version} (node ${process.version})`);
    });
  program
    .command('completion')
    .description('print a completion script, for example: source <(quorate completion bash)')
    .addArgument(new Argument('<shell>').choices(shells))
    .action((shell: Shell) => context.out(completionScript(shell, program)));
}
