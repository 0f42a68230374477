export type LogFields = Readonly<Record<string, unknown>>;

/** Structured log lines: fields first, then what happened in words. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}
