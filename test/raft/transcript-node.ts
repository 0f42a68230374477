import type { RaftOptions } from '../../src/raft/config.ts';
import type { Configuration, Entry, HardState, Outgoing, SnapshotMeta } from '../../src/raft/messages.ts';
import { Raft } from '../../src/raft/raft.ts';
import type { Ready, SnapshotReceived } from '../../src/raft/ready.ts';
import { sayConfiguration, sayEntries, sayHardState, sayMessage } from './transcript-words.ts';

/** Chunks of every snapshot here: more than one, so that their order shows. */
const chunks = 2;

interface Snapshot {
  readonly meta: SnapshotMeta;
  readonly commands: readonly string[];
}

interface Surroundings {
  readonly nowMs: () => number;
  readonly say: (line: string) => void;
  readonly send: (outgoing: Outgoing) => void;
}

/** A production `Raft` with a disk and a state machine in memory. It tells `say` all that happens and hands `send` what is to leave. */
export class TranscriptNode {
  raft: Raft;
  /** What the state machine holds. */
  commands: string[] = [];
  readonly #options: RaftOptions;
  readonly #founders: Configuration;
  readonly #say: (line: string) => void;
  readonly #send: (outgoing: Outgoing) => void;
  readonly #nowMs: () => number;
  #hardState: HardState = { currentTerm: 0, votedFor: undefined, rejoining: 0, commitIndex: 0 };
  #entries: Entry[] = [];
  #compacted = { index: 0, term: 0 };
  #snapshot: Snapshot | undefined;
  #arriving: Uint8Array[] = [];
  #standing = '';

  constructor(options: RaftOptions, founders: Configuration, { nowMs, say, send }: Surroundings) {
    this.#options = options;
    this.#founders = founders;
    this.#say = say;
    this.#send = send;
    this.#nowMs = nowMs;
    this.raft = this.#load();
    this.#standing = this.#sayStanding();
  }

  /** Forgets everything but the disk. */
  restart(): void {
    this.raft = this.#load();
    this.commands = [...(this.#snapshot?.commands ?? [])];
    this.#arriving = [];
    this.noteStanding();
  }

  /** Snapshots what is applied, and forgets the log up to there. */
  compact(): void {
    const index = this.raft.appliedIndex;
    const meta = { index, term: this.raft.termAt(index) ?? 0, configuration: this.raft.configuration, chain: new Uint8Array(32) };
    this.#snapshot = { meta, commands: [...this.commands] };
    this.raft.snapshotTaken(meta);
    this.#compacted = this.raft.compact(index, 0);
    this.#entries = this.#entries.filter((entry) => entry.index > this.#compacted.index);
    this.#say(`${this.raft.id} compacts up to ${this.#compacted.index}/${this.#compacted.term}`);
  }

  /** Does the outstanding work in the order that `Ready` asks for; false when there was none. */
  work(): boolean {
    this.noteStanding();
    let worked = false;
    for (let ready = this.raft.takeReady(this.#nowMs()); ready !== undefined; ready = this.raft.takeReady(this.#nowMs())) {
      worked = true;
      this.#handle(ready);
      this.noteStanding();
    }
    return worked;
  }

  /** Says the role, term and leader if they are others than last time. */
  noteStanding(): void {
    const standing = this.#sayStanding();
    if (standing !== this.#standing) this.#say(standing);
    this.#standing = standing;
  }

  #sayStanding(): string {
    const { id, role, term, leader } = this.raft;
    return `${id} is ${role} in term ${term}${role === 'follower' ? ` of ${leader ?? 'nobody'}` : ''}`;
  }

  #load(): Raft {
    const snapshot = this.#snapshot?.meta;
    const raft = new Raft(this.#options, {
      hardState: this.#hardState,
      configuration: snapshot?.configuration ?? this.#founders,
      snapshot: snapshot ?? { index: 0, term: 0 },
      compacted: this.#compacted,
      entries: this.#entries,
      appliedIndex: snapshot?.index ?? 0,
    });
    if (snapshot !== undefined) raft.snapshotTaken(snapshot);
    return raft;
  }

  #handle(ready: Ready): void {
    const { id } = this.raft;
    for (const outgoing of ready.messages) this.#leave(outgoing);
    this.#sendChunks(ready);
    for (const entry of ready.committedEntries) this.#apply(entry);
    this.#save(ready);
    for (const outgoing of ready.messagesAfterSave) {
      if (outgoing.to !== id) this.#leave(outgoing);
      else this.raft.step(id, outgoing.message);
    }
    for (const { context, index } of ready.readStates) this.#say(`${id} may answer read ${context} at ${index}`);
    for (const context of ready.readsRefused) this.#say(`${id} refuses read ${context}`);
  }

  #save({ hardState, entries, snapshotChunk }: Ready): void {
    const { id } = this.raft;
    if (hardState !== undefined) {
      this.#hardState = hardState;
      this.#say(`${id} saves ${sayHardState(hardState)}`);
    }
    const [first] = entries;
    if (first !== undefined) {
      this.#entries = [...this.#entries.filter((old) => old.index < first.index), ...entries];
      this.#say(`${id} saves ${sayEntries(entries)}`);
    }
    if (snapshotChunk !== undefined) this.#receive(snapshotChunk);
  }

  #apply(entry: Entry): void {
    this.#say(`${this.raft.id} applies ${sayEntries([entry])}`);
    if (entry.kind === 'command') this.commands.push(new TextDecoder().decode(entry.data));
    if (entry.kind === 'configuration') this.#say(`${this.raft.id} has ${sayConfiguration(this.raft.applyConfigChange(entry))}`);
  }

  #sendChunks({ snapshotSends }: Ready): void {
    for (const { to, term, snapshot, chunk } of snapshotSends) {
      const bytes = new TextEncoder().encode(JSON.stringify(this.#snapshot?.commands ?? []));
      const size = Math.ceil(bytes.length / chunks);
      const data = bytes.slice(chunk * size, (chunk + 1) * size);
      if (chunk >= chunks) this.raft.reportSnapshot(to, true);
      else this.#leave({ to, message: { type: 'InstallSnapshot', term, snapshot, chunk, chunks, data } });
    }
  }

  #receive({ snapshot, chunk, data }: SnapshotReceived): void {
    this.#say(`${this.raft.id} saves chunk ${chunk + 1} of snapshot ${snapshot.index}/${snapshot.term}`);
    this.#arriving = chunk === 0 ? [data] : [...this.#arriving, data];
    if (chunk < chunks - 1) return;
    const commands: unknown = JSON.parse(new TextDecoder().decode(Uint8Array.from(this.#arriving.flatMap((part) => [...part]))));
    this.commands = Array.isArray(commands) ? commands.map(String) : [];
    this.#snapshot = { meta: snapshot, commands: [...this.commands] };
    this.#entries = [];
    this.#compacted = { index: snapshot.index, term: snapshot.term };
    this.#say(`${this.raft.id} has ${sayConfiguration(snapshot.configuration)} and state [${this.commands.join(' ')}]`);
  }

  #leave(outgoing: Outgoing): void {
    this.#say(`${this.raft.id} -> ${outgoing.to} ${sayMessage(outgoing.message)}`);
    this.#send(outgoing);
  }
}
