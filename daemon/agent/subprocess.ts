import { spawn, type ChildProcess } from 'node:child_process';
import type { Environment } from '../node/config.ts';

export interface SubprocessOptions {
  /** For `sh -c`. */
  readonly command: string;
  readonly stdin: string;
  readonly env: Environment;
}

export interface SubprocessResult {
  /** 0 is success; undefined when a signal ended it or it could not start. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  /** True when there was more stdout than is kept. */
  readonly isCut: boolean;
  /** The end of it. */
  readonly stderr: string;
}

/** Results beyond this are refused by the cluster anyway. */
const maxStdoutBytes = 2 ** 20;
/** What of stderr is worth a place in the log of the cluster. */
const maxStderrBytes = 2_048;
/** From SIGTERM to SIGKILL. */
const graceMs = 2_000;

/** A shell command in a process group of its own, so that killing it leaves none of its children. */
export class Subprocess {
  readonly #child: ChildProcess;
  readonly result: Promise<SubprocessResult>;
  #hasEnded = false;
  #killer: NodeJS.Timeout | undefined;

  constructor({ command, stdin, env }: SubprocessOptions) {
    this.#child = spawn('sh', ['-c', command], { detached: true, stdio: ['pipe', 'pipe', 'pipe'], env: { ...env } });
    this.result = this.#run(stdin);
  }

  #run(stdin: string): Promise<SubprocessResult> {
    const child = this.#child;
    const stdout: Buffer[] = [];
    let stdoutBytes = 0;
    let stderr = Buffer.alloc(0);
    child.stdout?.on('data', (chunk: Buffer) => {
      if (stdoutBytes < maxStdoutBytes) stdout.push(chunk);
      stdoutBytes += chunk.length;
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr = Buffer.concat([stderr, chunk]).subarray(-maxStderrBytes);
    });
    // A command that does not read its stdin closes it early.
    child.stdin?.on('error', () => {});
    child.stdin?.end(stdin);
    return new Promise((resolve) => {
      const end = (exitCode: number | undefined, error?: Error): void => {
        this.#hasEnded = true;
        resolve({
          exitCode,
          stdout: Buffer.concat(stdout).toString('utf8').trim(),
          isCut: stdoutBytes > maxStdoutBytes,
          stderr: error?.message ?? stderr.toString('utf8').trim(),
        });
      };
      child.once('error', (error) => end(undefined, error));
      child.once('close', (code) => end(code ?? undefined));
    });
  }

  /** SIGTERM to the whole group, and SIGKILL to what is left of it after 2 s. */
  kill(): void {
    if (this.#killer !== undefined) return;
    this.#signal('SIGTERM');
    this.#killer = setTimeout(() => this.#signal('SIGKILL'), graceMs);
  }

  /** SIGKILL to the whole group: there is no time left. */
  killNow(): void {
    this.#signal('SIGKILL');
  }

  /** Resolves when nothing of it is left, as far as it was killed. */
  async gone(): Promise<void> {
    await this.result;
    if (this.#killer === undefined) return;
    clearTimeout(this.#killer);
    // The shell has ended; what it left in its group ends too.
    this.#signal('SIGKILL');
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, signal);
    } catch {
      // The group is empty already.
    }
  }
}
