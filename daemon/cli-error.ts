import { exitCodes, type ExitCode } from './exit-codes.ts';

/** A failure that ends the command with one line: why, and what to do next. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;
  /** What the user can do about it. */
  readonly next: string | undefined;

  constructor(exitCode: ExitCode, why: string, next?: string, options?: { cause?: unknown }) {
    super(why, options);
    this.exitCode = exitCode;
    this.next = next;
  }
}

export const usageError = (why: string, next?: string): CliError => new CliError(exitCodes.usage, why, next);

export const interrupted = (): CliError => new CliError(exitCodes.interrupted, 'interrupted');

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
