import { failure, type Failure, type FailureCode } from '../core/errors.ts';
import type { LogIndex, NodeId } from '../core/ids.ts';
import { majority } from '../core/quorum.ts';
import { changeConfiguration, isJoint, isVoter, members } from '../raft/configuration.ts';
import { type ConfigurationChange, leaveJoint, type MemberChange } from '../raft/configuration-change.ts';
import type { Configuration } from '../raft/messages.ts';
import type { Raft } from '../raft/raft.ts';
import type { Command } from '../tasks/commands.ts';
import type { MemberTable } from '../tasks/members.ts';
import type { Question, Reply } from '../wire/frames.ts';

type Respond = (reply: Reply) => void;
export type MembershipQuestion = Extract<Question, { readonly kind: 'members' | 'transfer' }>;

/** What changes of the members need to know of this node. */
export interface MembershipPorts {
  readonly raft: Raft;
  readonly isReachable: (node: NodeId, nowMs: number) => boolean;
  readonly propose: (command: Command) => void;
  /** Why the cluster's rules of certificates forbid a change, if they do. */
  readonly forbids: (change: ConfigurationChange) => Failure | undefined;
  /** A promotion with the certificate that it takes, if it takes one; undefined while the members have not approved it. */
  readonly certified: (promotion: ConfigurationChange) => ConfigurationChange | undefined;
  /** How long a chosen successor has to take over. */
  readonly electionTimeoutMs: number;
}

interface PendingChange {
  /** Tells a repeat from another change. */
  readonly change: string;
  readonly index: LogIndex;
  readonly waiting: Respond[];
}

interface PendingTransfer {
  readonly to: NodeId;
  readonly deadlineMs: number;
  readonly respond: Respond;
}

/** A learner no further behind than this has what the others have but for what is on its way. */
const maxBehind = 4096;
/** Who waits for one change; a repeat beyond is answered by asking again. */
const maxWaiting = 256;

/**
 * The leader's part in changing the members (thesis §4) and in handing leadership over (§3.10). Like all questions these may be asked again, of another
 * leader too: what is already so is answered at once, what is under way is waited for.
 */
export class Membership {
  readonly #ports: MembershipPorts;
  #change: PendingChange | undefined;
  #beganMs = 0;
  /** Changes that are refused for now: a leader that has just begun may not have heard all members yet. */
  #unheard: { readonly change: ConfigurationChange; readonly respond: Respond }[] = [];
  #transfer: PendingTransfer | undefined;
  /** Of the configuration that was applied last. */
  #members: readonly NodeId[];

  constructor(ports: MembershipPorts) {
    this.#ports = ports;
    this.#members = members(ports.raft.configuration);
  }

  answer(question: MembershipQuestion, nowMs: number, respond: Respond): void {
    if (question.kind === 'members') this.#answerChange(question.change, nowMs, respond);
    else this.#answerTransfer(question.from, question.to, nowMs, respond);
  }

  /** Leadership begins. */
  begin(nowMs: number): void {
    this.#beganMs = nowMs;
  }

  /** Leadership is over. Whoever waits asks the next leader. */
  end(): void {
    this.#unheard = [];
    this.#change = undefined;
    this.#transfer = undefined;
  }

  /** A configuration entry at `index` was applied. A serving leader, which has the `table`, has it forget who left. */
  onApplied(index: LogIndex, table: MemberTable | undefined): void {
    const { configuration } = this.#ports.raft;
    const before = this.#members;
    this.#members = members(configuration);
    for (const node of before) {
      if (table?.get(node) !== undefined && !this.#members.includes(node)) this.#ports.propose({ op: 'ForgetMember', node });
    }
    if (this.#change === undefined || index < this.#change.index || (isJoint(configuration) && configuration.autoLeave)) return;
    for (const respond of this.#change.waiting) respond({ kind: 'members', configuration });
    this.#change = undefined;
  }

  /** Once a heartbeat interval, on a serving leader: gives up a transfer, and promotes who joined and has caught up. */
  patrol(table: MemberTable, nowMs: number): void {
    const { raft } = this.#ports;
    for (const { change, respond } of this.#unheard.splice(0)) this.#answerChange(change, nowMs, respond);
    if (this.#transfer !== undefined && nowMs >= this.#transfer.deadlineMs) {
      const { to, respond } = this.#transfer;
      this.#transfer = undefined;
      respond(refused('timeout', `node ${to} did not take over in time; this node leads on`));
    }
    if (this.#change !== undefined || isJoint(raft.configuration)) return;
    for (const node of raft.configuration.learners) {
      const promotion = promotionOf(node);
      if (table.get(node)?.promote !== true || this.#refusal(promotion, nowMs) !== undefined) continue;
      const certified = this.#ports.certified(promotion);
      if (certified === undefined || this.#ports.forbids(certified) !== undefined) continue;
      raft.proposeConfigChange(certified);
      return;
    }
  }

  #answerChange(change: ConfigurationChange, nowMs: number, respond: Respond): void {
    const { raft } = this.#ports;
    const { configuration } = raft;
    const text = JSON.stringify(change);
    if (this.#change !== undefined) {
      if (this.#change.change !== text) respond(refused('change_pending', 'another change of the members is under way'));
      else if (this.#change.waiting.length < maxWaiting) this.#change.waiting.push(respond);
      return;
    }
    if (isInForce(configuration, change)) return respond({ kind: 'members', configuration });
    if (isJoint(configuration) && configuration.autoLeave && isInForce(afterLeaving(configuration), change)) {
      // Begun under an earlier leader, as it seems, and not yet left: any configuration entry that leaves it answers.
      this.#change = { change: text, index: raft.appliedIndex, waiting: [respond] };
      return undefined;
    }
    const wrong = this.#refusal(change, nowMs);
    if (wrong !== undefined) {
      const isYoung = nowMs - this.#beganMs < this.#ports.electionTimeoutMs;
      if (wrong.code === 'would_lose_quorum' && isYoung && this.#unheard.length < maxWaiting) this.#unheard.push({ change, respond });
      else respond({ kind: 'failure', failure: wrong });
      return undefined;
    }
    const forbidden = this.#ports.forbids(change);
    if (forbidden !== undefined) return respond({ kind: 'failure', failure: forbidden });
    const successor = this.#successor(change, nowMs);
    if (successor !== undefined) return this.#handOver(successor, nowMs, respond);
    const proposed = raft.proposeConfigChange(change);
    if (proposed.ok) this.#change = { change: text, index: proposed.index, waiting: [respond] };
    else if (proposed.refused === 'invalid-change') respond(refused('invalid_argument', proposed.reason ?? 'the change does not fit'));
    else if (proposed.refused !== 'not-leader') respond(refused('change_pending', `not now: ${proposed.refused}`));
    return undefined;
  }

  /** Why the change must not be made: it could leave a cluster that can decide nothing. */
  #refusal(change: ConfigurationChange, nowMs: number): Failure | undefined {
    const { raft, isReachable } = this.#ports;
    const { configuration } = raft;
    if (isJoint(configuration) && change.changes.length > 0)
      return failure('change_pending', 'the joint configuration must be left first', { configuration });
    const next = changeConfiguration(configuration, change);
    if (!next.ok) return failure('invalid_argument', next.reason);
    const { voters } = next.configuration;
    const behind = voters.find((node) => !isVoter(configuration, node) && !this.#isCaughtUp(node));
    if (behind !== undefined) {
      const detail = configuration.learners.includes(behind)
        ? `learner ${behind} has not caught up yet; try again when it has`
        : `node ${behind} must be added as a learner first, and catch up`;
      return failure('not_caught_up', detail, { node: behind });
    }
    const { progress } = raft.status();
    // Who lost its disk needs the others to be taken in again: it can't be the one that they need.
    const rejoining = voters.filter((node) => this.#isRejoining(node) && isReachable(node, nowMs));
    // Who has not answered this leader yet may have lost it.
    const unreachable = voters.filter(
      (node) => !rejoining.includes(node) && (!isReachable(node, nowMs) || (progress.get(node)?.match ?? 0) === 0),
    );
    if (voters.length - unreachable.length - rejoining.length >= majority(voters.length)) return undefined;
    const missing = [
      ...(unreachable.length === 0 ? [] : [`${unreachable.length} can't be reached: ${unreachable.join(', ')}`]),
      ...(rejoining.length === 0 ? [] : [`${rejoining.length} lost their disks and have no vote yet: ${rejoining.join(', ')}`]),
    ];
    return failure('would_lose_quorum', `of the ${voters.length} voters there would be, ${missing.join('; ')}`, { unreachable, rejoining });
  }

  #isRejoining(node: NodeId): boolean {
    return this.#ports.raft.status().progress.get(node)?.isRejoining === true;
  }

  #isCaughtUp(node: NodeId): boolean {
    const { raft } = this.#ports;
    const progress = raft.status().progress.get(node);
    return progress?.state === 'replicate' && !progress.isRejoining && raft.commitIndex - progress.match <= maxBehind;
  }

  #answerTransfer(from: NodeId, to: NodeId | undefined, nowMs: number, respond: Respond): void {
    const { raft } = this.#ports;
    if (to === undefined ? raft.id !== from : raft.id === to) return respond({ kind: 'transfer', leader: raft.id });
    if (this.#transfer !== undefined) {
      // A repeat: the first asking is still under way.
      if (to !== undefined && to !== this.#transfer.to) respond(refused('change_pending', 'leadership is being handed over already'));
      return undefined;
    }
    if (to !== undefined && !raft.configuration.voters.includes(to))
      return respond(refused(raft.configuration.learners.includes(to) ? 'wrong_state' : 'not_found', `node ${to} is not a voter`));
    const target = this.#furthest(to === undefined ? raft.configuration.voters : [to], nowMs);
    if (target === undefined)
      return respond(refused('unavailable', to === undefined ? 'no other voter can be reached' : `node ${to} can't be reached`));
    return this.#handOver(target, nowMs, respond);
  }

  /** The voter among these, other than this node, that lacks least and can be reached. */
  #furthest(voters: readonly NodeId[], nowMs: number): NodeId | undefined {
    const { raft, isReachable } = this.#ports;
    const { progress } = raft.status();
    return voters
      .filter((node) => node !== raft.id && isReachable(node, nowMs) && !this.#isRejoining(node))
      .toSorted((a, b) => (progress.get(b)?.match ?? 0) - (progress.get(a)?.match ?? 0))[0];
  }

  /**
   * Who should make a change that takes this leader's vote. After it there would be nobody to lead until an election timeout has passed; a leader that hands
   * over first is missed for a round trip (thesis §4.2.2 allows either).
   */
  #successor(change: ConfigurationChange, nowMs: number): NodeId | undefined {
    const { raft } = this.#ports;
    const next = changeConfiguration(raft.configuration, change);
    if (!next.ok || next.configuration.voters.includes(raft.id)) return undefined;
    return this.#furthest(
      next.configuration.voters.filter((node) => raft.configuration.voters.includes(node)),
      nowMs,
    );
  }

  /** Who asked is answered only when it fails: the successor is asked again. */
  #handOver(to: NodeId, nowMs: number, respond: Respond): void {
    const { raft, electionTimeoutMs } = this.#ports;
    if (this.#transfer !== undefined) return respond(refused('change_pending', 'leadership is being handed over already'));
    if (!raft.transferLeadership(to)) return respond(refused('wrong_state', `node ${to} can't take over`));
    this.#transfer = { to, deadlineMs: nowMs + electionTimeoutMs, respond };
    return undefined;
  }
}

const promotionOf = (node: NodeId): ConfigurationChange => ({ transition: 'auto', changes: [{ type: 'add-voter', node }], context: '' });

const refused = (code: FailureCode, detail: string): Reply => ({ kind: 'failure', failure: failure(code, detail) });

function afterLeaving(configuration: Configuration): Configuration {
  const left = changeConfiguration(configuration, leaveJoint);
  return left.ok ? left.configuration : configuration;
}

/** True when there is nothing left to do: a repeat finds its change made. */
function isInForce(configuration: Configuration, { changes }: ConfigurationChange): boolean {
  return !isJoint(configuration) && changes.every((change) => isMade(configuration, change));
}

function isMade({ voters, learners }: Configuration, { type, node }: MemberChange): boolean {
  switch (type) {
    case 'add-voter':
      return voters.includes(node);
    case 'add-learner':
      return learners.includes(node);
    case 'remove':
      return !voters.includes(node) && !learners.includes(node);
  }
}
