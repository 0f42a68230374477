import { createInterface } from 'node:readline';
import { createProgram } from './cli.ts';
import type { Context } from './context.ts';
import { exitCodes } from './exit-codes.ts';
import { reportFailure } from './report.ts';

// The only place that knows of signals and of the end of the process.

const interrupt = new AbortController();

/** A little more than the time in which everything stops by itself. */
const lastResortMs = 12_000;

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // The second one is an order.
    if (interrupt.signal.aborted) process.exit(exitCodes.interrupted);
    interrupt.abort(signal);
    setTimeout(() => process.exit(exitCodes.error), lastResortMs).unref();
  });
}

// A reader that went away (`quorate … | head`) wants no more.
process.stdout.on('error', () => process.exit(exitCodes.ok));

const context: Context = {
  env: process.env,
  executable: process.argv[1] ?? '',
  interrupt: interrupt.signal,
  stdoutIsTerminal: process.stdout.isTTY,
  stderrIsTerminal: process.stderr.isTTY,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  readStdin: async () => {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks).toString('utf8');
  },
  readLine: () =>
    new Promise((resolve) => {
      const lines = createInterface({ input: process.stdin });
      lines.once('line', (line) => {
        resolve(line);
        lines.close();
      });
      lines.once('close', () => resolve(''));
    }),
  onStdinEnd: (callback) => {
    process.stdin.once('end', callback).once('error', callback).resume();
  },
};

const program = createProgram(context);
try {
  await program.parseAsync(process.argv);
  process.exit(exitCodes.ok);
} catch (error) {
  process.exit(reportFailure(error, program, process.argv.slice(2), context));
}
