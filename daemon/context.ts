import type { Environment } from './node/config.ts';

/** What a command may touch of its process. `main.ts` makes the real one, tests make their own. */
export interface Context {
  readonly env: Environment;
  /** Path of the executable's script, to start daemons with. */
  readonly executable: string;
  /** Aborted by the first SIGINT or SIGTERM; its reason is the signal's name. */
  readonly interrupt: AbortSignal;
  readonly stdoutIsTerminal: boolean;
  readonly stderrIsTerminal: boolean;
  /** Writes to stdout as given. */
  readonly out: (text: string) => void;
  /** Writes to stderr as given. */
  readonly err: (text: string) => void;
  /** All of stdin. */
  readonly readStdin: () => Promise<string>;
  /** The next line of stdin; empty when it ends. */
  readonly readLine: () => Promise<string>;
  /** Calls back when stdin ends. */
  readonly onStdinEnd: (callback: () => void) => void;
}
