import type { Hashes } from '../../byzantine/crypto.ts';
import { proposalId } from '../../byzantine/encoding.ts';
import type { EpochConfiguration } from '../../byzantine/epoch.ts';
import type { Proposal } from '../../byzantine/proposal.ts';
import { renewed } from '../../byzantine/renewal.ts';
import type { LogIndex, NodeId } from '../../core/ids.ts';
import type { VoteRecord } from '../../storage/vote-store.ts';
import { forEpoch, forgetRenewal, type HeldVotes, openVoteStore, renewalChange } from './vote-records.ts';
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
 * The votes of one epoch after the other. When the members change, open votes are void, for who approved them may vote no more; their proposers put them to the next
 * members. What was decided stays known. A node never goes back: after a restart it takes no part before its log has come to the epoch in which it voted last.
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
    const configurationOf = (epoch: number) => this.#ports.configurationOf(epoch);
    const held = renewAll(forEpoch(this.#held, configuration.epoch), { self, hashes: votes.hashes, configuration, configurationOf });
    if (configuration.members.some(({ nodeId }) => nodeId === self)) {
      const hasLostStore = this.#ports.isRejoining();
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

interface Successor {
  readonly self: NodeId;
  readonly hashes: Hashes;
  /** Who votes now. */
  readonly configuration: EpochConfiguration;
  readonly configurationOf: (epoch: number) => EpochConfiguration | undefined;
}

/** Takes what earlier epochs left undecided on: each vote is noted with the one in which it goes on, and this node's own are to be proposed again. */
function renewAll(held: HeldVotes, successor: Successor): HeldVotes {
  const { self, hashes, configuration } = successor;
  const changes = [...held.changes];
  const again = held.ended.flatMap(({ proposal: { id, proposal }, payloads }) => {
    const next = renewedNow(proposal, successor);
    const renewal = { id, epoch: proposal.epoch, next: next && proposalId(hashes, next) };
    const forgotten = held.renewals.add(renewal);
    changes.push(renewalChange(renewal), ...(forgotten === undefined ? [] : [forgetRenewal(forgotten)]));
    return next !== undefined && configuration.members[next.proposer]?.nodeId === self ? [{ proposal: next, payloads }] : [];
  });
  return { ...held, ended: [], again, changes };
}

/** A node may have missed epochs in between, in which others had it already. */
function renewedNow(proposal: Proposal, { configuration, configurationOf }: Successor): Proposal | undefined {
  let current: Proposal | undefined = proposal;
  let before = configurationOf(proposal.epoch);
  for (let epoch = proposal.epoch + 1; current !== undefined && epoch <= configuration.epoch; epoch++) {
    const after = configurationOf(epoch);
    current = before && after && renewed(current, before, after);
    before = after;
  }
  return current;
}
