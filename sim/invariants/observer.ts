import type { AgentId, LogIndex, NodeId, TaskId } from '../../src/core/ids.ts';
import type { ReplicaPorts } from '../../src/node/replica-options.ts';
import { configurationOf } from '../../src/raft/configuration.ts';
import type { Configuration } from '../../src/raft/messages.ts';
import type { RaftStore, StoredState } from '../../src/storage/store.ts';
import type { ClusterState } from '../../src/tasks/state.ts';
import { AgreedLog, fingerprint } from './agreed-log.ts';
import { allInvariants } from './all.ts';
import { Disk } from './disk.ts';
import type { Invariant, KeyRead, NodeView, ReplicaView } from './invariant.ts';
import { Transitions } from './transitions.ts';

/** A node's life and what was last seen of it. */
class Watched implements NodeView {
  readonly id: NodeId;
  readonly disk = new Disk();
  current: ReplicaView | undefined;
  /** Its log is not the one that was agreed on, by no fault of its own. */
  isRewritten = false;
  configurations: Configuration[] = [];
  commitIndex: LogIndex = 0;
  ledTerm = 0;

  constructor(id: NodeId) {
    this.id = id;
  }

  get replica(): ReplicaView {
    if (this.current === undefined) throw new Error(`${this.id} is down`);
    return this.current;
  }
}

/** What a replica tells on its way. */
export type Checks = Required<Pick<ReplicaPorts, 'onApplied' | 'onConfiguration' | 'onCommand' | 'onGuarded' | 'onStep' | 'onInstalled'>>;

/**
 * Sees everything that happens in a world and tells those invariants that ask for it. It keeps the facts that they share: what is on the disks, and the log as it
 * was agreed on.
 */
export class Observer {
  readonly transitions = new Transitions();
  /** Terms that had a leader. */
  elections = 0;
  /** Nodes that lost their disk, or noticed that it was damaged, and were taken in again. */
  repairedDisks = 0;
  /** The newest change of the members that any node has written. */
  changeIndex = 0;
  readonly #nodes: ReadonlyMap<NodeId, Watched>;
  readonly #agreed: AgreedLog;
  readonly #rewritten = new Set<NodeId>();
  readonly #tell: ReturnType<typeof audiences>;

  constructor(nodes: readonly NodeId[], founders: readonly NodeId[], more: readonly Invariant[]) {
    this.#nodes = new Map(nodes.map((id) => [id, new Watched(id)]));
    this.#agreed = new AgreedLog(configurationOf(founders));
    const disks = new Map([...this.#nodes].map(([id, { disk }]) => [id, disk]));
    this.#tell = audiences([...allInvariants({ agreed: this.#agreed, disks, rewritten: this.#rewritten }), ...more]);
  }

  get agreed(): AgreedLog {
    return this.#agreed;
  }

  // Nodes.

  /** Somebody rewrites the node's log, or lies to it: what it writes and carries out from now on is not held against it. */
  rewritten(id: NodeId): void {
    this.#rewritten.add(id);
    this.#at(id).isRewritten = true;
  }

  /** The rewritten log is gone. */
  repaired(id: NodeId): void {
    this.#at(id).isRewritten = false;
  }

  /** A process is about to start. */
  starting(id: NodeId, found: StoredState): void {
    const node = this.#at(id);
    for (const each of this.#tell.onStart) each.onStart?.(id, node.disk, found);
    node.disk.opened(found);
  }

  started(id: NodeId, replica: ReplicaView): void {
    const node = this.#at(id);
    node.current = replica;
    node.configurations = [replica.raft.configuration];
    node.commitIndex = 0;
  }

  checks(id: NodeId): Checks {
    const node = this.#at(id);
    const { onApplied, onConfiguration, onCommand, onGuarded, onMessage, onStep, onSnapshotInstalled } = this.#tell;
    return {
      onApplied: (entry) => {
        if (node.isRewritten) return;
        const isFirst = this.#agreed.add(entry, this.#at(id).current?.raft.term ?? entry.term);
        for (const each of onApplied) each.onApplied?.(node, entry, isFirst);
      },
      onConfiguration: (index, configuration) => {
        const isFirst = this.#agreed.change(index, configuration);
        node.configurations.push(configuration);
        for (const each of onConfiguration) each.onConfiguration?.(node, index, configuration, isFirst);
      },
      onCommand: (index, command, result, effects) => {
        if (node.isRewritten) return;
        const deed = { index, command, result, effects, isFirst: index > this.#agreed.lastIndex };
        for (const each of onCommand) each.onCommand?.(node, deed);
      },
      onGuarded: (entry, result) => {
        for (const each of onGuarded) each.onGuarded?.(node, entry, result);
      },
      onStep: (from, message, roleBefore) => {
        this.transitions.add(roleBefore, message, node.replica.raft.role);
        for (const each of onMessage) each.onMessage?.(node, from, message);
        if (message.type !== 'RequestVoteResponse' && message.type !== 'AppendEntriesResponse') return;
        for (const each of onStep) each.onStep?.(node, from, message);
      },
      onInstalled: (meta, state) => {
        for (const each of onSnapshotInstalled) each.onSnapshotInstalled?.(node, meta, state);
      },
    };
  }

  /** The store, with its book kept beside it. */
  watch(id: NodeId, store: RaftStore): RaftStore {
    const node = this.#at(id);
    const { disk } = node;
    const { onSaving, onSnapshotTaken, onSnapshotWritten } = this.#tell;
    return {
      save: (batch, done) => {
        if (!node.isRewritten) for (const each of onSaving) each.onSaving?.(node, batch);
        for (const { kind, index } of batch.entries ?? [])
          if (kind === 'configuration' && index > this.changeIndex) this.changeIndex = index;
        disk.inFlight = batch;
        store.save(batch, (error) => {
          if (error === undefined) {
            if (disk.hardState.rejoining !== 0 && batch.hardState?.rejoining === 0) this.repairedDisks++;
            disk.saved(batch);
            disk.inFlight = undefined;
          }
          done(error);
        });
      },
      saveSnapshot: (meta, chunks, done) => {
        if (node.isRewritten) return store.saveSnapshot(meta, chunks, done);
        for (const each of onSnapshotTaken) each.onSnapshotTaken?.(node, meta);
        let print = 0;
        const printed = function* (): Generator<Uint8Array> {
          for (const chunk of chunks) {
            print = fingerprint(chunk, print);
            yield chunk;
          }
        };
        store.saveSnapshot(meta, printed(), (error) => {
          if (error === undefined) {
            disk.snapshotIndex = Math.max(disk.snapshotIndex, meta.index);
            for (const each of onSnapshotWritten) each.onSnapshotWritten?.(node, meta, print);
          }
          done(error);
        });
      },
      compact: (index, term, done) => {
        store.compact(index, term, (error) => {
          if (error === undefined) disk.compacted(index, term);
          done(error);
        });
      },
      readChunk: (index, chunk, done) => store.readChunk(index, chunk, done),
      get logBytes() {
        return store.logBytes;
      },
      close: () => store.close(),
    };
  }

  /** An event is over in which this node did something. True when it has just become a leader. */
  afterTurn(id: NodeId): boolean {
    const node = this.#at(id);
    const { raft } = node.replica;
    const isElected = raft.role === 'leader' && node.ledTerm !== raft.term;
    if (isElected) {
      node.ledTerm = raft.term;
      this.elections++;
      for (const each of this.#tell.onElected) each.onElected?.(node);
    }
    const { commitIndex } = raft;
    if (commitIndex !== node.commitIndex) {
      node.commitIndex = commitIndex;
      for (const each of this.#tell.onCommitted) each.onCommitted?.(node, commitIndex);
    }
    for (const each of this.#tell.afterTurn) each.afterTurn?.(node);
    if (node.configurations.length > 1 || node.configurations[0] !== raft.configuration) node.configurations = [raft.configuration];
    return isElected;
  }

  linkLost(id: NodeId, peer: NodeId, quietMs: number, isTorn: boolean): void {
    const node = this.#at(id);
    for (const each of this.#tell.onLinkLost) each.onLinkLost?.(node, peer, quietMs, isTorn);
  }

  /** `up`: who runs now. */
  healed(id: NodeId, index: LogIndex, up: readonly NodeId[]): void {
    const node = this.#at(id);
    const { voters } = node.replica.raft.configuration;
    const nodes = up.filter((each) => voters.includes(each)).map((each) => this.#at(each));
    for (const each of this.#tell.onHealed) each.onHealed?.(node, index, nodes);
  }

  // Clients.

  acknowledged(index: LogIndex): void {
    for (const each of this.#tell.onAcknowledged) each.onAcknowledged?.(index);
  }

  read(read: KeyRead): void {
    for (const each of this.#tell.onRead) each.onRead?.(read);
  }

  submitted(task: TaskId): void {
    for (const each of this.#tell.onSubmitted) each.onSubmitted?.(task);
  }

  claimed(agent: AgentId, task: TaskId, fence: number): void {
    for (const each of this.#tell.onClaimed) each.onClaimed?.(agent, task, fence);
  }

  completed(task: TaskId, result: string): void {
    for (const each of this.#tell.onCompleted) each.onCompleted?.(task, result);
  }

  /** The state of a node that has applied all there is. */
  whole(state: ClusterState): void {
    for (const each of this.#tell.onWhole) each.onWhole?.(state);
  }

  end(): void {
    for (const each of this.#tell.atEnd) each.atEnd?.();
  }

  #at(id: NodeId): Watched {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new RangeError(`there is no node ${id}`);
    return node;
  }
}

/** Who asks for what. */
function audiences(all: readonly Invariant[]) {
  const of = (hook: keyof Invariant): readonly Invariant[] => all.filter((each) => each[hook] !== undefined);
  return {
    onStart: of('onStart'),
    onSaving: of('onSaving'),
    onElected: of('onElected'),
    onMessage: of('onMessage'),
    onStep: of('onStep'),
    onCommitted: of('onCommitted'),
    onCommand: of('onCommand'),
    onGuarded: of('onGuarded'),
    onApplied: of('onApplied'),
    onConfiguration: of('onConfiguration'),
    onSnapshotTaken: of('onSnapshotTaken'),
    onSnapshotWritten: of('onSnapshotWritten'),
    onSnapshotInstalled: of('onSnapshotInstalled'),
    onLinkLost: of('onLinkLost'),
    onHealed: of('onHealed'),
    afterTurn: of('afterTurn'),
    onAcknowledged: of('onAcknowledged'),
    onRead: of('onRead'),
    onSubmitted: of('onSubmitted'),
    onClaimed: of('onClaimed'),
    onCompleted: of('onCompleted'),
    onWhole: of('onWhole'),
    atEnd: of('atEnd'),
  };
}
