import type { Command } from 'commander';
import { clientSettings, type ClientSettings, type GlobalFlags } from './node/config.ts';
import type { Context } from './context.ts';
import { Http } from './http.ts';
import { Printer } from './output.ts';

/** What a client command works with. */
export interface Session {
  readonly http: Http;
  readonly printer: Printer;
  readonly settings: ClientSettings;
  readonly context: Context;
}

/** Whether the output is for a program, of a command that asks no cluster. @throws CliError when a global flag is not valid. */
export const wantsJson = (command: Command, context: Context): boolean =>
  clientSettings(command.optsWithGlobals<GlobalFlags>(), context.env).format !== 'table';

/** Reads the global flags of a command that runs. Nothing is sent yet. */
export function openSession(command: Command, context: Context): Session {
  const settings = clientSettings(command.optsWithGlobals<GlobalFlags>(), context.env);
  const { endpoints, token, timeoutMs, format } = settings;
  return {
    http: new Http({ endpoints, token, timeoutMs, signal: context.interrupt }),
    printer: new Printer(context, format),
    settings,
    context,
  };
}
