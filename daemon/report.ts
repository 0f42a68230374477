import { CommanderError, type Command } from 'commander';
import { z } from 'zod';
import { CliError, messageOf } from './cli-error.ts';
import type { Context } from './context.ts';
import { exitCodes, type ExitCode } from './exit-codes.ts';

/** Tells a failure in one line, `quorate: <what>: <why> — <what to do next>`, and returns the exit code it stands for. */
export function reportFailure(error: unknown, program: Command, args: readonly string[], context: Pick<Context, 'err'>): ExitCode {
  const what = commandPath(program, args);
  const tell = (why: string, next: string | undefined): void => {
    const line = [`quorate: ${what === '' ? '' : `${what}: `}${why}`, ...(next === undefined ? [] : [next])].join(' — ');
    context.err(`${line.replaceAll(/\s*\n\s*/g, ' ')}\n`);
  };
  if (error instanceof CommanderError) return reportUsage(error, what, tell);
  if (error instanceof CliError) {
    tell(error.message, error.next);
    return error.exitCode;
  }
  if (error instanceof z.ZodError) {
    tell(
      `the node sent an answer of another form (${error.issues[0]?.path.join('.') ?? ''})`,
      'use a client of the same version as the nodes',
    );
    return exitCodes.error;
  }
  tell(messageOf(error), undefined);
  return exitCodes.error;
}

function reportUsage(error: CommanderError, what: string, tell: (why: string, next: string | undefined) => void): ExitCode {
  // Help or the version was asked for, and shown.
  if (error.exitCode === 0) return exitCodes.ok;
  // A group of commands without the command: its help was shown.
  if (error.code === 'commander.help') return exitCodes.usage;
  const [why = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
  const next = suggestion?.replace(/^\((.*)\)$/, '$1').replace(/^Did/, 'did') ?? `see \`quorate ${what === '' ? '' : `${what} `}--help\``;
  tell(why, next);
  return exitCodes.usage;
}

/** The names of the commands that the arguments lead to, for example `kv get`. */
function commandPath(program: Command, args: readonly string[]): string {
  const path: string[] = [];
  let at = program;
  for (const arg of args) {
    const next = at.commands.find((command) => command.name() === arg);
    if (next === undefined) continue;
    path.push(next.name());
    at = next;
  }
  return path.join(' ');
}
