import type { SplitClass, View } from './classify.ts';

/** `healing`: all links are back, and what the split left behind is being mended. */
export type PartitionState = 'healthy' | 'suspect' | 'majority' | 'minority' | 'no_quorum' | 'healing';

/** How long a view must stand before it counts: three rows of the hasty period and as much again for their ways. We evict nobody, so being quick costs nothing. */
export const stableAfterMs = 300;

/** A split that has stood for a moment. */
export const isStableSplit = (state: PartitionState): boolean => state === 'majority' || state === 'minority' || state === 'no_quorum';

export interface Standing {
  readonly state: PartitionState;
  readonly class: SplitClass;
  /** Raft can go on, but not every link works. */
  readonly degraded: boolean;
}

/**
 * The state that a node shows, from what it sees: `healthy → suspect → majority | minority | no_quorum → healing → healthy`. A changed view is `suspect` until it has
 * stood for a moment; but who can't decide any more is not told otherwise meanwhile: the state between two splits is the worse one.
 */
export class PartitionWatch {
  #standing: Standing = { state: 'healthy', class: 'none', degraded: false };
  /** The view that is not yet stable. */
  #pending: { readonly key: string; readonly sinceMs: number } | undefined;
  #stableKey: string | undefined;
  #isHealing = false;

  get standing(): Standing {
    return this.#standing;
  }

  /** What is seen has yet to stand for a moment. */
  get isChanging(): boolean {
    return this.#pending !== undefined;
  }

  /** True when the standing changed. */
  observe(view: View, nowMs: number): boolean {
    const key = keyOf(view);
    if (key === this.#stableKey && this.#pending === undefined) return this.#settle(view);
    if (this.#pending?.key !== key) this.#pending = { key, sinceMs: nowMs };
    if (nowMs - this.#pending.sinceMs < stableAfterMs) {
      if (this.#standing.state !== 'healthy' && this.#standing.state !== 'healing') return false;
      return view.class === 'none' ? false : this.#become({ state: 'suspect', class: view.class, degraded: view.raftOk });
    }
    this.#pending = undefined;
    // A split that was stable leaves something to mend; a moment's suspicion does not.
    const wasSplit = isStableSplit(this.#standing.state);
    if (view.class !== 'none') this.#isHealing = false;
    else if (wasSplit) this.#isHealing = true;
    this.#stableKey = key;
    return this.#settle(view);
  }

  /** The heal protocol has settled (H7), which looked longer and closer than this: if all links are up in this view too, it stands. True when the standing changed. */
  onHealed(view: View): boolean {
    this.#isHealing = false;
    if (view.class !== 'none') return false;
    this.#pending = undefined;
    this.#stableKey = keyOf(view);
    return this.#settle(view);
  }

  #settle(view: View): boolean {
    if (view.class === 'none') return this.#become({ state: this.#isHealing ? 'healing' : 'healthy', class: 'none', degraded: false });
    return this.#become({
      state: stateOf(view),
      class: view.class,
      degraded: view.raftOk && view.class !== 'node-loss' && view.class !== 'complete',
    });
  }

  #become(next: Standing): boolean {
    const { state, class: kind, degraded } = this.#standing;
    if (state === next.state && kind === next.class && degraded === next.degraded) return false;
    this.#standing = next;
    return true;
  }
}

function stateOf({ canFollow, othersMayDecide }: View): PartitionState {
  if (canFollow) return 'majority';
  return othersMayDecide ? 'minority' : 'no_quorum';
}

const keyOf = ({ class: kind, sides, canFollow }: View): string =>
  `${kind} ${canFollow} ${kind === 'none' ? '' : sides.map((side) => side.join()).join(' ')}`;
