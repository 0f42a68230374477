import { readFile } from 'node:fs/promises';
import { messageOf, usageError } from './cli-error.ts';
import type { Context } from './context.ts';

/** The text behind an argument: itself, `@file`, or `-` for stdin. */
export async function textOf(argument: string, context: Pick<Context, 'readStdin'>): Promise<string> {
  if (argument === '-') return await context.readStdin();
  if (!argument.startsWith('@')) return argument;
  return await readText(argument.slice(1));
}

/** @throws CliError if the file can't be read. */
export async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw usageError(`${path} can't be read: ${messageOf(error)}`, 'name a file that exists');
  }
}

/** @throws CliError if the text is not JSON; `what` names it. */
export function jsonOf(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw usageError(`${what} is not JSON: ${messageOf(error)}`, `quote it, for example '{"a":1}'`);
  }
}
