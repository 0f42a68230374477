import { unreachable } from '../core/assert.ts';
import { copyBytes } from '../core/bytes.ts';
import { nodeId, taskId, type NodeId } from '../core/ids.ts';
import type { DetectorMessage, Update } from '../detector/messages.ts';
import { maxIncarnation, maxUpdates } from '../detector/messages.ts';
import { splitClasses } from '../partition/classify.ts';
import type { HealPart, HealReport } from '../partition/heal/heal-report.ts';
import { maxListed } from '../partition/heal/heal-report.ts';
import type { HealMessage } from '../partition/heal/messages.ts';
import { maxDots, maxLeases, type Summary } from '../partition/heal/summary.ts';
import type { Row } from '../partition/row.ts';
import { partitionMark } from './marks.ts';
import { pack, unpack } from './pack.ts';
import { FieldReader } from './reader.ts';
import { type Places, readRow, rowFields, signatureBytes } from './rows.ts';

const partitionVersion = 3;
const chainBytes = 32;
/** What is passed on for others: control frames. Bulk waits for the real link. */
export const maxRelayedBytes = 64 * 1024;
/** A heal report of full lists is the longest of these frames. */
const maxPartitionFrameBytes = 1024 * 1024;

export type PartitionFrame =
  /** The sender's own row first, then rows that the receiver can't have directly. */
  | { readonly kind: 'rows'; readonly rows: readonly Row[] }
  | { readonly kind: 'probe'; readonly message: DetectorMessage }
  | { readonly kind: 'heal'; readonly message: HealMessage }
  | { readonly kind: 'relay'; readonly relayed: Relayed };

/** A frame that goes by way of a third node, which can only lose it: it is signed by the sender (`signedRelayed`), who numbers what it sends. */
export interface Relayed {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly boot: number;
  readonly seq: number;
  readonly frame: Uint8Array;
  readonly signature: Uint8Array;
}

const kinds = ['rows', 'probe', 'heal', 'relay'] as const;

/** What the sender of a relayed frame signs. */
export const signedRelayed = (clusterTag: number, { from, to, boot, seq, frame }: Omit<Relayed, 'signature'>): Uint8Array =>
  pack(['quorate/relay/v1', clusterTag, from, to, boot, seq, frame]);

export const isPartitionFrame = (bytes: Uint8Array): boolean => bytes[0] === partitionMark;

export function encodePartitionFrame(clusterTag: number, places: Places, frame: PartitionFrame): Uint8Array {
  const body = pack([partitionVersion, clusterTag, places.check, kinds.indexOf(frame.kind), ...fieldsOf(frame, places)]);
  const bytes = new Uint8Array(body.length + 1);
  bytes[0] = partitionMark;
  bytes.set(body, 1);
  return bytes;
}

/** Reads a frame of anyone, or says in a word why not. */
export function decodePartitionFrame(
  clusterTag: number,
  places: Places,
  bytes: Uint8Array,
): PartitionFrame | 'too_large' | 'malformed' | 'version' | 'cluster' | 'members' {
  if (bytes.length > maxPartitionFrameBytes) return 'too_large';
  const r = new FieldReader(unpack(bytes.subarray(1)));
  const version = r.int();
  if (version !== partitionVersion) return version === 0 ? 'malformed' : 'version';
  if (r.int() !== clusterTag) return 'cluster';
  if (r.int() !== places.check) return 'members';
  const frame = readFrame(kinds[r.int(0, kinds.length)], r, places);
  return frame !== undefined && r.ok ? frame : 'malformed';
}

function fieldsOf(frame: PartitionFrame, places: Places): readonly unknown[] {
  switch (frame.kind) {
    case 'rows':
      return [frame.rows.map((row) => rowFields(row, places))];
    case 'probe': {
      const { message } = frame;
      const updates = message.updates.map(({ node, status, incarnation, by }) => [node, status, incarnation, by]);
      return [message.type, message.nonce, ...(message.type === 'ProbeRequest' ? [message.target] : []), updates];
    }
    case 'heal':
      return [frame.message.type, ...healFields(frame.message)];
    case 'relay': {
      const { from, to, boot, seq, frame: inner, signature } = frame.relayed;
      return [from, to, boot, seq, inner, signature];
    }
    default:
      return unreachable(frame);
  }
}

function readFrame(kind: PartitionFrame['kind'] | undefined, r: FieldReader, places: Places): PartitionFrame | undefined {
  switch (kind) {
    case 'rows': {
      const rows = r.list(places.members.length, (item) => readRow(item, places));
      return { kind, rows: rows.filter((row) => row !== undefined) };
    }
    case 'probe': {
      const message = readProbe(r);
      return message && { kind, message };
    }
    case 'heal': {
      const message = readHeal(r);
      return message && { kind, message };
    }
    case 'relay': {
      const [from, to] = [r.name(nodeId), r.name(nodeId)];
      const rest = {
        boot: r.int(),
        seq: r.int(),
        frame: copyBytes(r.bytes(maxRelayedBytes)),
        signature: copyBytes(r.bytes(signatureBytes)),
      };
      return from && to && { kind, relayed: { from, to, ...rest } };
    }
    case undefined:
      return undefined;
    default:
      return unreachable(kind);
  }
}

// Probes.

const statuses = ['alive', 'suspect', 'dead'] as const;

function readProbe(r: FieldReader): DetectorMessage | undefined {
  const type = r.oneOf(['Probe', 'Ack', 'ProbeRequest', 'Nack'] as const);
  const nonce = r.int();
  const target = type === 'ProbeRequest' ? r.name(nodeId) : undefined;
  const updates = r
    .list(maxUpdates, (item): Update | undefined => {
      const [node, status, incarnation, by] = [item.name(nodeId), item.oneOf(statuses), item.int(0, maxIncarnation), item.name(nodeId)];
      return node && status && by && { node, status, incarnation, by };
    })
    .filter((update) => update !== undefined);
  if (type === 'ProbeRequest') return target && { type, nonce, target, updates };
  return type && { type, nonce, updates };
}

// Healing.

function healFields(message: HealMessage): readonly unknown[] {
  switch (message.type) {
    case 'Echo':
      return [message.nonce];
    case 'EchoReply':
      return [message.nonce, message.boot];
    case 'Summary': {
      const { epoch, term, lastIndex, lastTerm, commitIndex, commitTerm, head, snapshotIndex, gossip, openVotes, leases } = message.summary;
      const held = leases.map(({ task, fence }) => [task, fence]);
      const log = [term, lastIndex, lastTerm, commitIndex, commitTerm, head.index, head.chain, snapshotIndex];
      const dots = gossip.slice(0, maxDots).map(({ node, counter }) => [node, counter]);
      const summary = [epoch, ...log, dots, openVotes, held];
      return [summary, message.isAnswer];
    }
    case 'Mended':
      return [message.heal, Math.round(message.forMs), partFields(message.part)];
    case 'Settled':
      return [message.heal, reportFields(message.report)];
    default:
      return unreachable(message);
  }
}

function readHeal(r: FieldReader): HealMessage | undefined {
  const type = r.oneOf(['Echo', 'EchoReply', 'Summary', 'Mended', 'Settled'] as const);
  switch (type) {
    case 'Echo':
      return { type, nonce: r.int() };
    case 'EchoReply':
      return { type, nonce: r.int(), boot: r.int() };
    case 'Summary':
      return { type, summary: nested(r, readSummary), isAnswer: r.boolean() };
    case 'Mended':
      return { type, heal: r.int(), forMs: r.int(), part: nested(r, readPart) };
    case 'Settled':
      return { type, heal: r.int(), report: nested(r, readReport) };
    case undefined:
      return undefined;
    default:
      return unreachable(type);
  }
}

function nested<T>(r: FieldReader, read: (fields: FieldReader) => T): T {
  const fields = new FieldReader(r.any());
  const value = read(fields);
  if (!fields.ok) r.reject();
  return value;
}

const readSummary = (r: FieldReader): Summary => ({
  epoch: r.int(),
  term: r.int(),
  lastIndex: r.int(),
  lastTerm: r.int(),
  commitIndex: r.int(),
  commitTerm: r.int(),
  head: { index: r.int(), chain: copyBytes(r.bytes(chainBytes)) },
  snapshotIndex: r.int(),
  gossip: r
    .list(maxDots, (item) => {
      const [node, counter] = [item.name(nodeId), item.int()];
      return node && { node, counter };
    })
    .filter((dot) => dot !== undefined),
  openVotes: r.int(),
  leases: r
    .list(maxLeases, (item) => {
      const [task, fence] = [item.name(taskId), item.int()];
      return task && { task, fence };
    })
    .filter((lease) => lease !== undefined),
});

function partFields({ raft, gossip, tasks, bft, discarded }: HealPart): readonly unknown[] {
  return [
    [
      raft.caughtUpEntries,
      raft.truncated.map((entry) => [entry.index, entry.term, entry.session ?? null, entry.seq ?? null, entry.kind ?? null]),
      raft.snapshots,
    ],
    [gossip.merged, gossip.conflicts.map(({ key, winnerDot, losers }) => [key, winnerDot, losers]), gossip.tombstoned],
    [
      tasks.kept,
      tasks.fenced.map(({ task, agent, oldFence, newFence }) => [task, agent, oldFence, newFence]),
      tasks.requeued,
      tasks.orphanResults,
    ],
    [bft.resumed, bft.decided, bft.expired],
    discarded,
  ];
}

function readPart(r: FieldReader): HealPart {
  return {
    raft: nested(r, (raft) => ({
      caughtUpEntries: raft.int(),
      truncated: raft.list(maxListed, (item) => ({
        index: item.int(),
        term: item.int(),
        session: item.optional(() => item.text(256)),
        seq: item.optional(() => item.int()),
        kind: item.optional(() => item.text(64)),
      })),
      snapshots: raft.int(),
    })),
    gossip: nested(r, (gossip) => ({
      merged: gossip.int(),
      conflicts: gossip.list(maxListed, (item) => ({ key: item.text(256), winnerDot: item.text(256), losers: item.texts(64, 256) })),
      tombstoned: gossip.int(),
    })),
    tasks: nested(r, (tasks) => ({
      kept: tasks.int(),
      fenced: tasks.list(maxListed, (item) => ({
        task: item.text(256),
        agent: item.text(256),
        oldFence: item.int(),
        newFence: item.int(),
      })),
      requeued: tasks.int(),
      orphanResults: tasks.int(),
    })),
    bft: nested(r, (bft) => ({ resumed: bft.int(), decided: bft.int(), expired: bft.int() })),
    discarded: r.texts(maxListed, 256),
  };
}

function reportFields(report: HealReport): readonly unknown[] {
  const { id, start, detectedMs, healedMs, sides, leaderBefore, leaderAfter, termBefore, termAfter, reElected, durationMs, notes } = report;
  const times = [start, detectedMs, healedMs, durationMs].map(Math.round);
  return [
    id,
    times,
    report.class,
    sides,
    leaderBefore ?? null,
    leaderAfter ?? null,
    termBefore,
    termAfter,
    reElected,
    notes,
    partFields(report),
  ];
}

function readReport(r: FieldReader): HealReport {
  const id = r.text(64);
  const [start, detectedMs, healedMs, durationMs] = nested(r, (times) => [times.int(), times.int(), times.int(), times.int()] as const);
  const kind = r.oneOf(splitClasses) ?? 'none';
  const sides = r.list(1024, (side) => nodesOf(side));
  const [leaderBefore, leaderAfter] = [r.optional(() => r.name(nodeId)), r.optional(() => r.name(nodeId))];
  const [termBefore, termAfter, reElected] = [r.int(), r.int(), r.boolean()];
  const notes = r.texts(100, 256);
  const part = nested(r, readPart);
  return {
    ...part,
    id,
    start,
    detectedMs,
    healedMs,
    class: kind,
    sides,
    leaderBefore,
    leaderAfter,
    termBefore,
    termAfter,
    reElected,
    durationMs,
    notes,
  };
}

/** All of an array's fields as ids; the reader itself sees to it that none is left over. */
function nodesOf(r: FieldReader): NodeId[] {
  const nodes: NodeId[] = [];
  while (r.peek() !== undefined && nodes.length < 1024) {
    const node = r.name(nodeId);
    if (node !== undefined) nodes.push(node);
  }
  return nodes;
}
