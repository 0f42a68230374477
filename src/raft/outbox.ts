import type { LogIndex, NodeId } from '../core/ids.ts';
import type { Outgoing, RaftMessage } from './messages.ts';
import type { Ready, ReadState, SnapshotReceived, SnapshotSend } from './ready.ts';

type FromLog = Pick<Ready, 'hardState' | 'entries' | 'committedEntries'>;

/** What a node has to say since the last `Ready`. */
export class Outbox {
  #messages: Outgoing[] = [];
  #messagesAfterSave: Outgoing[] = [];
  #snapshotChunk: SnapshotReceived | undefined;
  #snapshotSends: SnapshotSend[] = [];
  #readStates: ReadState[] = [];
  #readsRefused: number[] = [];

  /** A leader's messages need no write of its own (thesis §10.2.1). */
  send(to: NodeId, message: RaftMessage): void {
    this.#messages.push({ to, message });
  }

  /** Everybody else's promise what must be durable first. */
  sendAfterSave(to: NodeId, message: RaftMessage): void {
    this.#messagesAfterSave.push({ to, message });
  }

  sendChunk(send: SnapshotSend): void {
    this.#snapshotSends.push(send);
  }

  /** A chunk waits to be saved; until it is handed out, there is no room for another. */
  get hasChunk(): boolean {
    return this.#snapshotChunk !== undefined;
  }

  saveChunk(chunk: SnapshotReceived): void {
    this.#snapshotChunk = chunk;
  }

  answerRead(context: number, index: LogIndex): void {
    this.#readStates.push({ context, index });
  }

  refuseRead(context: number): void {
    this.#readsRefused.push(context);
  }

  get isEmpty(): boolean {
    const waiting =
      this.#messages.length +
      this.#messagesAfterSave.length +
      this.#snapshotSends.length +
      this.#readStates.length +
      this.#readsRefused.length;
    return waiting === 0 && !this.hasChunk;
  }

  /** Hands everything over, along with what the log gives. */
  take({ hardState, entries, committedEntries }: FromLog): Ready {
    const ready = {
      hardState,
      entries,
      messages: this.#messages,
      messagesAfterSave: this.#messagesAfterSave,
      committedEntries,
      snapshotChunk: this.#snapshotChunk,
      snapshotSends: this.#snapshotSends,
      readStates: this.#readStates,
      readsRefused: this.#readsRefused,
    };
    this.#messages = [];
    this.#messagesAfterSave = [];
    this.#snapshotChunk = undefined;
    this.#snapshotSends = [];
    this.#readStates = [];
    this.#readsRefused = [];
    return ready;
  }
}
