import type { NodeId } from '../core/ids.ts';
import { gossipLimits } from './limits.ts';

/** Why a batch was not taken. The first three are nobody's fault. */
export const refusals = ['duplicate', 'ahead', 'full', 'stranger', 'muted', 'flood', 'forged', 'malformed', 'spoofed'] as const;
export type Refusal = (typeof refusals)[number];

interface Standing {
  tokens: number;
  refilledMs: number;
  /** When the last bad batches came, at most `badPerMinute`. */
  bad: number[];
  mutedUntilMs: number;
}

const minuteMs = 60_000;

/** How much each member may send, and who has sent too much that is wrong. One record a member. */
export class Gatekeeper {
  readonly #standings = new Map<NodeId, Standing>();

  isMuted(node: NodeId, nowMs: number): boolean {
    return (this.#standings.get(node)?.mutedUntilMs ?? 0) > nowMs;
  }

  /** A bucket of tokens: false when the origin is over its rate, and nothing is taken from it. */
  allows(origin: NodeId, updates: number, nowMs: number): boolean {
    const standing = this.#standing(origin, nowMs);
    const gained = ((nowMs - standing.refilledMs) * gossipLimits.updatesPerSecond) / 1000;
    standing.tokens = Math.min(gossipLimits.updatesBurst, standing.tokens + gained);
    standing.refilledMs = nowMs;
    if (standing.tokens < updates) return false;
    standing.tokens -= updates;
    return true;
  }

  /** Counts a bad batch against whoever is surely to blame. True when that makes the node mute. */
  blame(node: NodeId, nowMs: number): boolean {
    const standing = this.#standing(node, nowMs);
    standing.bad = [...standing.bad.filter((atMs) => nowMs - atMs < minuteMs), nowMs];
    if (standing.bad.length < gossipLimits.badPerMinute || standing.mutedUntilMs > nowMs) return false;
    standing.bad = [];
    standing.mutedUntilMs = nowMs + gossipLimits.muteMs;
    return true;
  }

  keepOnly(isMember: (node: NodeId) => boolean): void {
    for (const node of this.#standings.keys()) if (!isMember(node)) this.#standings.delete(node);
  }

  #standing(node: NodeId, nowMs: number): Standing {
    let standing = this.#standings.get(node);
    if (standing === undefined) {
      standing = { tokens: gossipLimits.updatesBurst, refilledMs: nowMs, bad: [], mutedUntilMs: 0 };
      this.#standings.set(node, standing);
    }
    return standing;
  }
}
