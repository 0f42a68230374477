/** How an operation ended for its client. Times are virtual microseconds. */
export type OperationOutcome<Output> =
  | { readonly kind: 'ok'; readonly output: Output; readonly returnedUs: number }
  /** It surely did not and will not take effect. An answer that tells something of the state (a version mismatch) is `ok`, not this. */
  | { readonly kind: 'fail' }
  /** It may take effect at any time after its call, or never. */
  | { readonly kind: 'unknown' };

/** One request of a client, as the client saw it. */
export interface Operation<Input, Output> {
  readonly client: number;
  readonly input: Input;
  readonly invokedUs: number;
  readonly outcome: OperationOutcome<Output>;
}
