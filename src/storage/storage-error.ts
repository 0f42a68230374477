/**
 * `damaged`: the directory holds less than, or something else than, what was acknowledged. `in_use`: another process has it open. `foreign`: it is
 * another node's, or of another format. `io`: the disk or the file system refused.
 */
export type StorageErrorCode = 'damaged' | 'in_use' | 'foreign' | 'io';

/** The data directory can't be used. One sentence says what was found, where, and what to do. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
  readonly code: StorageErrorCode;

  constructor(code: StorageErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** What was found is told in a few words, without a full stop. */
export const damaged = (directory: string, found: string, cause?: unknown): StorageError =>
  new StorageError(
    'damaged',
    `the data directory ${directory} is damaged (${found}), and this node must not answer from it: move it away and let the node join again with an empty one.`,
    { cause },
  );
