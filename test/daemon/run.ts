import { createProgram } from '../../daemon/cli.ts';
import type { Context } from '../../daemon/context.ts';
import { reportFailure } from '../../daemon/report.ts';

/** Runs a command line inside this process. */
export async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const written = { out: '', err: '' };
  const context: Context = {
    env: {},
    executable: '',
    interrupt: new AbortController().signal,
    stdoutIsTerminal: false,
    stderrIsTerminal: false,
    out: (text) => {
      written.out += text;
    },
    err: (text) => {
      written.err += text;
    },
    readStdin: () => Promise.resolve(''),
    readLine: () => Promise.resolve(''),
    onStdinEnd: () => {},
  };
  const program = createProgram(context);
  try {
    await program.parseAsync(args, { from: 'user' });
    return { code: 0, ...written };
  } catch (error) {
    return { code: reportFailure(error, program, args, context), ...written };
  }
}
