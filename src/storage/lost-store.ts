import { StorageError } from './storage-error.ts';

// What a node makes of a store that is damaged or gone. The files are moved elsewhere (src/storage/node-store.ts; the simulator has none).

/** Whether a store that refused to open is put aside and begun anew, as that of a node that lost its disk. `isAlone`: nobody could repair it. */
export const mayBeginAnew = (error: unknown, isAlone: boolean): boolean =>
  !isAlone && error instanceof StorageError && error.code === 'damaged';

/** What a store says of itself if it must be begun: where there was one before, a number for its loss. */
export const lossOf = (hadStore: boolean, nonce: () => number): number => (hadStore ? nonce() : 0);
