import type { EpochConfiguration } from '../../byzantine/epoch.ts';
import type { LogIndex, NodeId } from '../../core/ids.ts';
import type { VoteRecord } from '../../storage/vote-store.ts';
import { forEpoch, type HeldVotes, openVoteStore } from './vote-records.ts';
import { type VotePorts, Votes } from './votes.ts';

/** An epoch, and the index of the log where it began; 0 when that is not known. */
export interface EpochPlace {
  readonly configuration: EpochConfiguration;
  readonly from: LogIndex;
}

export interface VoteEpochsPorts {
  readonly votes: VotePorts;
  readonly self: NodeId;
  /** Kinds that this node approves without asking anyone; `*` is all. */
  readonly autoApprove: readonly string[];
  /** The newest epoch that this node has verified. */
  current(): EpochPlace;
  configurationOf(epoch: number): EpochConfiguration | undefined;
  /** The node lost its disk and is not taken in again. */
  isRejoining(): boolean;
  commitIndex(): LogIndex;
}

/**
 * The votes of one epoch after the other. When the members change, open votes are void, for who approved them may vote no more; their proposers ask again. What was decided stays known. A
 * node never goes back: after a restart it takes no part before its log has come to the epoch in which it voted last.
 */
export class VoteEpochs {
  readonly #ports: VoteEpochsPorts;
  #held: HeldVotes;
  #votes: Votes | undefined;

  /** @throws Error when a stored record is not one that this program writes. */
  constructor(ports: VoteEpochsPorts, records: readonly VoteRecord[]) {
    const { store, held } = openVoteStore(ports.votes.hashes, ports.votes.store, records);
    this.#ports = { ...ports, votes: { ...ports.votes, store } };
    this.#held = held;
    this.follow();
  }

  /** Undefined at a node that is no member of the epoch, or whose log is behind what it has seen. */
  get current(): Votes | undefined {
    return this.#votes;
  }

  /** The members may have changed, or this node have been taken in again. */
  follow(): void {
    const ports = this.#ports;
    const place = ports.current();
    if (this.#votes !== undefined && place.configuration.epoch <= this.#votes.configuration.epoch) {
      if (this.#votes.isLost && !ports.isRejoining()) this.#votes.recovered(ports.commitIndex());
      return;
    }
    if (this.#votes !== undefined) this.#held = this.#votes.end();
    this.#votes = undefined;
    if (place.configuration.epoch < (this.#held.boot?.epoch ?? 0)) return;
    this.#enter(place);
  }

  stop(): void {
    this.#votes?.stop();
  }

  #enter({ configuration, from }: EpochPlace): void {
    const { votes, self, autoApprove } = this.#ports;
    const held = forEpoch(this.#held, configuration.epoch);
    if (configuration.members.some(({ nodeId }) => nodeId === self)) {
      const hasLostStore = this.#ports.isRejoining();
      const configurationOf = (epoch: number) => this.#ports.configurationOf(epoch);
      this.#votes = new Votes({ self, configuration, from, configurationOf, autoApprove, hasLostStore }, votes, held);
      return;
    }
    // Whoever waits for what this node did as a member is answered, and the next epoch of which it is one finds it.
    this.#held = { ...held, changes: [], afterSave: [] };
    votes.store.saveVotes(held.changes, (error) => {
      if (error !== undefined) return votes.onFatal(error);
      for (const job of held.afterSave) job();
      return undefined;
    });
  }
}
