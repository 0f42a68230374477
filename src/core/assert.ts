/** A node has contradicted itself: memory can no longer be trusted, so the process must stop. Caught only by the executable, which logs and exits. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** States an invariant in words. On in production. Never used on what came from a peer, a client or a file. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new InvariantError(invariant);
}

/** The value, which an invariant says is there. */
export function defined<T>(value: T | undefined, invariant: string): T {
  if (value === undefined) throw new InvariantError(invariant);
  return value;
}

/** The branch that the type system has shown to be empty. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${JSON.stringify(value)}`);
}
