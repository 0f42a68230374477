import { nodeId, type NodeId } from '../../src/core/ids.ts';
import { SeededRandom } from '../../src/core/random.ts';
import type { RaftOptions } from '../../src/raft/config.ts';
import { configurationOf } from '../../src/raft/configuration.ts';
import type { Entry, HardState, Outgoing, RaftMessage, RequestVote } from '../../src/raft/messages.ts';
import { Raft } from '../../src/raft/raft.ts';
import type { Ready } from '../../src/raft/ready.ts';

export const [n1, n2, n3, n4, n5] = ['n1', 'n2', 'n3', 'n4', 'n5'].map(nodeId) as [NodeId, NodeId, NodeId, NodeId, NodeId];
export const electionTicks = 10;

export interface Disk {
  hardState: HardState;
  entries: Entry[];
}

export const entry = (index: number, term: number, count = 1): Entry => ({
  index,
  term,
  count,
  kind: 'command',
  data: new Uint8Array([index % 256]),
});

/** A log of one entry per index, with these terms. */
export const logOf = (...terms: number[]): Entry[] => terms.map((term, i) => entry(i + 1, term));

/** A request of the first term by a candidate whose log is empty, but for what is given. */
export const requestVote = (fields: Partial<RequestVote> = {}): RequestVote => ({
  type: 'RequestVote',
  term: 1,
  preVote: false,
  lastLogIndex: 0,
  lastLogTerm: 0,
  transfer: false,
  commitIndex: 0,
  commitTerm: 0,
  ...fields,
});

export function makeRaft(id: NodeId, voters: readonly NodeId[], disk: Partial<Disk> = {}, options: Partial<RaftOptions> = {}): Raft {
  return new Raft(
    {
      id,
      electionTicks,
      heartbeatTicks: 1,
      preVote: false,
      checkQuorum: false,
      maxInflight: 16,
      maxInflightBytes: 1024 * 1024,
      maxSizePerMessage: 1024,
      maxUncommittedBytes: 1024 * 1024,
      leaseMs: 0,
      random: new SeededRandom(id.charCodeAt(1)),
      ...options,
    },
    {
      hardState: disk.hardState ?? { currentTerm: disk.entries?.at(-1)?.term ?? 0, votedFor: undefined, commitIndex: 0, rejoining: 0 },
      configuration: configurationOf(voters),
      snapshot: { index: 0, term: 0 },
      compacted: { index: 0, term: 0 },
      entries: disk.entries ?? [],
      appliedIndex: 0,
    },
  );
}

/** Takes all Readys of one node, steps what it says to itself, and returns everything it wants sent. `seen` is told each Ready; `nowMs` is its clock, if it has one. */
export function drain(raft: Raft, seen: (ready: Ready) => void = () => {}, nowMs?: number): Outgoing[] {
  const sent: Outgoing[] = [];
  for (let ready = raft.takeReady(nowMs); ready !== undefined; ready = raft.takeReady(nowMs)) {
    seen(ready);
    sent.push(...ready.messages);
    for (const committed of ready.committedEntries) if (committed.kind === 'configuration') raft.applyConfigChange(committed);
    for (const outgoing of ready.messagesAfterSave) {
      if (outgoing.to === raft.id) raft.step(raft.id, outgoing.message);
      else sent.push(outgoing);
    }
  }
  return sent;
}

export const ofType = <T extends RaftMessage['type']>(sent: readonly Outgoing[], type: T): Extract<RaftMessage, { type: T }>[] =>
  sent.map(({ message }) => message).filter((message): message is Extract<RaftMessage, { type: T }> => message.type === type);

/** Several nodes whose messages arrive at once and in order, unless a link is cut. */
export class Network {
  readonly nodes = new Map<NodeId, Raft>();
  readonly applied = new Map<NodeId, Entry[]>();
  readonly disks = new Map<NodeId, Disk>();
  readonly reads: { node: NodeId; context: number; index: number }[] = [];
  readonly refused: { node: NodeId; context: number }[] = [];
  readonly cut = new Set<string>();
  /** Chunks of the snapshot that every node would send. */
  chunks = 1;
  /** What the clocks of all nodes show. */
  nowMs: number | undefined;
  drop: (from: NodeId, outgoing: Outgoing) => boolean = () => false;

  constructor(ids: readonly NodeId[], options: Partial<RaftOptions> = {}, disks: Readonly<Record<string, Partial<Disk>>> = {}) {
    for (const id of ids) {
      this.nodes.set(id, makeRaft(id, ids, disks[id], options));
      this.applied.set(id, []);
      this.disks.set(id, {
        hardState: { currentTerm: 0, votedFor: undefined, commitIndex: 0, rejoining: 0 },
        entries: [...(disks[id]?.entries ?? [])],
      });
    }
  }

  at(id: NodeId): Raft {
    const raft = this.nodes.get(id);
    if (raft === undefined) throw new RangeError(`no node ${id}`);
    return raft;
  }

  isolate(id: NodeId): void {
    for (const other of this.nodes.keys()) {
      this.cut.add(`${id} ${other}`);
      this.cut.add(`${other} ${id}`);
    }
  }

  heal(): void {
    this.cut.clear();
  }

  /** Delivers until nothing moves any more. */
  settle(): void {
    for (let moved = true, rounds = 0; moved && rounds < 1000; rounds++) {
      moved = false;
      for (const [id, raft] of this.nodes) {
        const record = (ready: Ready): void => {
          moved = true;
          this.#record(id, ready);
        };
        const sent = drain(raft, record, this.nowMs);
        for (const outgoing of sent) {
          if (this.cut.has(`${id} ${outgoing.to}`) || this.drop(id, outgoing)) continue;
          this.nodes.get(outgoing.to)?.step(id, outgoing.message);
        }
      }
    }
  }

  elect(id: NodeId): Raft {
    this.at(id).campaign();
    this.settle();
    return this.at(id);
  }

  tick(times = 1): void {
    for (let i = 0; i < times; i++) {
      for (const raft of this.nodes.values()) raft.tick();
      this.settle();
    }
  }

  #record(id: NodeId, ready: Ready): void {
    const disk = this.disks.get(id);
    if (disk !== undefined) {
      const [first] = ready.entries;
      if (first !== undefined) disk.entries = [...disk.entries.filter((e) => e.index <= first.index - first.count), ...ready.entries];
      disk.hardState = ready.hardState ?? disk.hardState;
    }
    this.applied.get(id)?.push(...ready.committedEntries);
    for (const { context, index } of ready.readStates) this.reads.push({ node: id, context, index });
    for (const context of ready.readsRefused) this.refused.push({ node: id, context });
    for (const { to, term, snapshot, chunk } of ready.snapshotSends) {
      this.nodes.get(to)?.step(id, { type: 'InstallSnapshot', term, snapshot, chunk, chunks: this.chunks, data: new Uint8Array([chunk]) });
    }
  }
}
