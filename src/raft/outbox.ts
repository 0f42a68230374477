import type { LogIndex, NodeId } from '../core/ids.ts';
import type { Outgoing, RaftMessage } from './messages.ts';
import type { Ready, ReadState, SnapshotReceived, SnapshotSend } from './ready.ts';

type Held = Omit<Ready, 'hardState' | 'entries' | 'committedEntries'>;

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
    return (
      !this.hasChunk &&
      [this.#messages, this.#messagesAfterSave, this.#snapshotSends, this.#readStates, this.#readsRefused].every(
        (part) => part.length === 0,
      )
    );
  }

  /** Hands everything over. */
  take(): Held {
    const held = {
      messages: this.#messages,
      messagesAfterSave: this.#messagesAfterSave,
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
    return held;
  }
}
