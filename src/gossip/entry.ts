import { type Dot, type VersionVector, covers, isSameDot, joinVectors } from './dot.ts';
import type { NodeId } from '../core/ids.ts';
import { gossipLimits } from './limits.ts';
import { compareSiblings } from './resolver.ts';

/** Who speaks: the node that the key's agent is attached to, or another one that watches it. */
export type WriterRole = 'owner' | 'observer';

/** One value of a key that no value known here builds on. */
export interface Sibling {
  readonly dot: Dot;
  /** Of a hybrid logical clock. */
  readonly stamp: number;
  /** Of the agent's registration, which the log issues: a later one outranks an earlier one. */
  readonly generation: number;
  readonly role: WriterRole;
  /** `undefined` is a tombstone: the key was removed. */
  readonly value: Uint8Array | undefined;
}

/**
 * What is known of one key: a dotted version vector set (Preguiça et al. 2012; Almeida et al. 2014). `siblings` are the newest values that do not know of
 * each other, the winner first; `vector` covers them and all that they replaced. A node has one sibling of a key at most.
 */
export interface Entry {
  readonly vector: VersionVector;
  readonly siblings: readonly Sibling[];
}

/** A write by one who has seen `seen`: it replaces all that is there. */
export const write = (seen: Entry | undefined, sibling: Sibling): Entry => ({
  vector: joinVectors(seen?.vector ?? [], [sibling.dot]),
  siblings: [sibling],
});

/**
 * Both together: a sibling goes only where the other side has seen it and holds it no more. Commutative, associative and idempotent; gives back `a` itself when
 * `b` adds nothing.
 */
export function merge(a: Entry, b: Entry): Entry {
  if (a === b) return a;
  // The usual case, and the quick one: `b` is a write by somebody who had seen all of `a`.
  if (replaces(b, a)) return b;
  const kept = a.siblings.flatMap((sibling) => {
    const twin = b.siblings.find((other) => isSameDot(other.dot, sibling.dot));
    if (twin !== undefined) return [betterTwin(sibling, twin)];
    return covers(b.vector, sibling.dot) ? [] : [sibling];
  });
  const added = b.siblings.filter(({ dot }) => !covers(a.vector, dot) && !a.siblings.some((own) => isSameDot(own.dot, dot)));
  const vector = joinVectors(a.vector, b.vector);
  const isSame = added.length === 0 && kept.length === a.siblings.length && kept.every((sibling, i) => sibling === a.siblings[i]);
  if (isSame && vector === a.vector) return a;
  // Each side has replaced what the other holds: nobody who follows the rules makes that. Both stay, so that all agree again and nothing is lost.
  const standing = kept.length + added.length > 0 ? [...kept, ...added] : [...a.siblings, ...b.siblings];
  return { vector, siblings: ranked(standing) };
}

function replaces(b: Entry, a: Entry): boolean {
  for (const dot of a.vector) if (!covers(b.vector, dot)) return false;
  for (const { dot } of b.siblings) if (covers(a.vector, dot)) return false;
  return b.siblings.length === 1;
}

/** The winner first, no more than the bound. */
const ranked = (siblings: readonly Sibling[]): Sibling[] =>
  siblings.toSorted((a, b) => compareSiblings(b, a)).slice(0, gossipLimits.siblings);

/** A dot has one value unless a node used it twice; then all take the same one of them. */
function betterTwin(a: Sibling, b: Sibling): Sibling {
  if (a.stamp !== b.stamp) return a.stamp > b.stamp ? a : b;
  return compareBytes(a.value, b.value) >= 0 ? a : b;
}

function compareBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): number {
  if (a === undefined || b === undefined || a === b) return a === b ? 0 : a === undefined ? 1 : -1;
  for (let i = 0; i < a.length && i < b.length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/**
 * What is left of an entry once nodes have left the cluster: their values only where no member has one, and their places in the vector only while
 * `keepVector` says so, for members that may still send them. Gives back the entry itself when nothing changes.
 */
export function project(entry: Entry, isMember: (node: NodeId) => boolean, keepVector: boolean): Entry {
  if (entry.vector.every(({ node }) => isMember(node))) return entry;
  const ofMembers = entry.siblings.filter(({ dot }) => isMember(dot.node));
  const siblings = ofMembers.length === 0 ? entry.siblings : ofMembers;
  const holds = (node: NodeId): boolean => siblings.some(({ dot }) => dot.node === node);
  const vector = keepVector ? entry.vector : entry.vector.filter(({ node }) => isMember(node) || holds(node));
  return siblings.length === entry.siblings.length && vector.length === entry.vector.length ? entry : { vector, siblings };
}

export const isTombstone = ({ siblings }: Entry): boolean => siblings.every(({ value }) => value === undefined);
