import type { Model } from './checker.ts';

/** Requests about one key of the key-value store. `ifVersion` 0 means "only if absent". */
export type RegisterInput =
  | { readonly kind: 'get' }
  | { readonly kind: 'put'; readonly value: string; readonly ifVersion?: number }
  | { readonly kind: 'delete'; readonly ifVersion?: number };

export type RegisterOutput =
  | { readonly kind: 'value'; readonly value: string; readonly version: number }
  /** To a get, and to a delete that found nothing. */
  | { readonly kind: 'missing' }
  /** Version: the index of the entry in the log. */
  | { readonly kind: 'written'; readonly version: number }
  | { readonly kind: 'deleted'; readonly index: number }
  /** With the version the key has; 0: there is none. */
  | { readonly kind: 'version_mismatch'; readonly version: number };

interface RegisterState {
  readonly value: string | undefined;
  /** 0 while there is no value; undefined while nobody was told the version of an unanswered write. */
  readonly version: number | undefined;
  /** The newest index that is known to have touched the key: whatever is written later has a greater one. */
  readonly newest: number;
}

/** One key as `src/tasks/apply-keys.ts` keeps it: versions are indices of the log and rise strictly, also across a deletion. */
export const registerModel: Model<RegisterState, RegisterInput, RegisterOutput> = {
  initial: { value: undefined, version: 0, newest: 0 },

  step(state, input, output) {
    if (input.kind === 'get') return output === undefined ? state : read(state, output);
    if (output?.kind === 'version_mismatch')
      return input.ifVersion === undefined || input.ifVersion === output.version ? undefined : withVersion(state, output.version);
    const found = input.ifVersion === undefined ? state : withVersion(state, input.ifVersion);
    if (found === undefined) return undefined;
    return input.kind === 'put' ? put(found, input.value, output) : remove(found, output);
  },

  keyOf: ({ value, version, newest }) => `${version ?? '?'} ${newest} ${value ?? ''}`,
};

function read(state: RegisterState, output: RegisterOutput): RegisterState | undefined {
  if (output.kind === 'missing') return withVersion(state, 0);
  return output.kind === 'value' && output.value === state.value ? withVersion(state, output.version) : undefined;
}

function put(state: RegisterState, value: string, output: RegisterOutput | undefined): RegisterState | undefined {
  if (output === undefined) return { value, version: undefined, newest: state.newest };
  return output.kind === 'written' && output.version > state.newest
    ? { value, version: output.version, newest: output.version }
    : undefined;
}

function remove(state: RegisterState, output: RegisterOutput | undefined): RegisterState | undefined {
  const isAbsent = state.version === 0;
  if (output?.kind === 'missing') return isAbsent ? state : undefined;
  if (output === undefined) return { value: undefined, version: 0, newest: state.newest };
  return output.kind === 'deleted' && !isAbsent && output.index > state.newest
    ? { value: undefined, version: 0, newest: output.index }
    : undefined;
}

/** The state if the key has this version. An unanswered write gets its version here: any that is newer than all before it. */
function withVersion(state: RegisterState, version: number): RegisterState | undefined {
  if (state.version !== undefined) return state.version === version ? state : undefined;
  return version > state.newest ? { value: state.value, version, newest: version } : undefined;
}
