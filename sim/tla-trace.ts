import type { LogIndex, NodeId, Term } from '../src/core/ids.ts';
import type { Configuration, RaftMessage } from '../src/raft/messages.ts';
import type { Role } from '../src/raft/status.ts';
import type { StoredState } from '../src/storage/store.ts';
import type { Disk } from './invariants/disk.ts';
import type { Invariant, NodeView } from './invariants/invariant.ts';

interface Seen {
  role: Role;
  term: Term;
  commitIndex: LogIndex;
  lastIndex: LogIndex;
}

const becoming: Readonly<Record<Role, string>> = {
  follower: 'BecomeFollower',
  precandidate: 'BecomePreCandidate',
  candidate: 'BecomeCandidate',
  leader: 'BecomeLeader',
};

/**
 * A run as steps of a Raft specification, a line of JSON each, in the form in which etcd-io/raft writes traces for validation against its TLA+ specification: what a node
 * took in, what it became, how far its log and its commit index went. What is sent is not told; it is what the receivers took in, or was lost.
 */
export class TlaTrace implements Invariant {
  readonly name = 'tla-trace';
  readonly #write: (line: string) => void;
  readonly #nowUs: () => number;
  readonly #seen = new Map<NodeId, Seen>();

  constructor(nowUs: () => number, write: (line: string) => void) {
    this.#nowUs = nowUs;
    this.#write = write;
  }

  onStart(id: NodeId, _disk: Disk, { hardState, entries, compactedIndex }: StoredState): void {
    const { currentTerm: term, votedFor, commitIndex } = hardState;
    const lastIndex = entries.at(-1)?.index ?? compactedIndex;
    this.#seen.set(id, { role: 'follower', term, commitIndex, lastIndex });
    this.#line('InitState', id, { state: { term, vote: votedFor ?? '', commit: commitIndex }, log: lastIndex });
  }

  onMessage(node: NodeView, from: NodeId, message: RaftMessage): void {
    // Bytes and whole configurations are left out: a specification knows entries by their places.
    const { type, ...fields } = message;
    const plain = Object.entries(fields).filter(([, value]) => typeof value !== 'object');
    const entries = message.type === 'AppendEntries' ? { entries: message.entries.map(({ index, term }) => ({ index, term })) } : {};
    this.#step(`Receive${type}`, node, { msg: { from, to: node.id, ...Object.fromEntries(plain), ...entries } });
  }

  onConfiguration(node: NodeView, index: LogIndex, { voters, outgoing, learners }: Configuration): void {
    this.#step('ApplyConfChange', node, { index, conf: [voters, outgoing], learners });
  }

  afterTurn(node: NodeView): void {
    const { role, term, commitIndex } = node.replica.raft;
    const { lastIndex } = node.replica.raft.status();
    const seen = this.#seen.get(node.id) ?? { role: 'follower', term: 0, commitIndex: 0, lastIndex: 0 };
    this.#seen.set(node.id, { role, term, commitIndex, lastIndex });
    if (role !== seen.role || term !== seen.term) this.#step(becoming[role], node, {});
    if (role === 'leader' && lastIndex > seen.lastIndex) this.#step('Replicate', node, { to: lastIndex });
    if (commitIndex > seen.commitIndex) this.#step('Commit', node, {});
  }

  #step(name: string, { id, replica }: NodeView, more: object): void {
    const { role, term, commitIndex } = replica.raft;
    const { lastIndex, votedFor } = replica.raft.status();
    this.#line(name, id, { role, state: { term, vote: votedFor ?? '', commit: commitIndex }, log: lastIndex, ...more });
  }

  #line(name: string, nid: NodeId, more: object): void {
    this.#write(JSON.stringify({ tag: 'trace', us: this.#nowUs(), event: { name, nid, ...more } }));
  }
}
