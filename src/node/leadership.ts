import type { GuardedAction } from '../byzantine/guard.ts';
import type { Failure } from '../core/errors.ts';
import type { LogIndex, NodeId } from '../core/ids.ts';
import type { Raft } from '../raft/raft.ts';
import type { Command, CommandResult } from '../tasks/commands.ts';
import type { StateEvent } from '../tasks/events.ts';
import type { ClusterState } from '../tasks/state.ts';
import type { Question, Reply } from '../wire/frames.ts';
import { Enactments } from './guarding/enactments.ts';
import type { Guard } from './guarding/guard.ts';
import { LeaderDuties } from './leader-duties.ts';
import type { Liveness } from './liveness.ts';
import { Membership } from './membership.ts';
import type { Proposer } from './proposer.ts';

export interface LeadershipPorts {
  readonly raft: Raft;
  readonly guard: Guard | undefined;
  readonly liveness: Liveness;
  readonly proposer: Proposer;
  readonly state: () => ClusterState;
  readonly isReachable: (node: NodeId, nowMs: number) => boolean;
  /** Why nothing guarded is taken while this node's log may not be the cluster's. */
  readonly doubt: () => Failure | undefined;
  /** The members' certificate for a change that this leader wants, once there is one. */
  readonly approvalOf: (action: GuardedAction) => string | undefined;
  readonly electionTimeoutMs: number;
  readonly respond: (to: NodeId, id: number, reply: Reply) => void;
}

/** Questions that wait until this leader serves; more are asked again. */
const maxEarly = 16_384;

/**
 * What a node does while it leads. It serves once it has applied an entry of its own term, and with it all that was committed before: from then on questions are
 * answered, each by the part that it is about, and duties done. What came earlier waits. All of this dies with the leadership.
 */
export class Leadership {
  readonly #ports: LeadershipPorts;
  readonly #duties: LeaderDuties;
  readonly #membership: Membership;
  readonly #enactments: Enactments;
  readonly #propose: (command: Command) => LogIndex | undefined;
  #isServing = false;
  /** Asked before this leader serves. */
  #early: { readonly from: NodeId; readonly id: number; readonly question: Question }[] = [];

  constructor(ports: LeadershipPorts) {
    this.#ports = ports;
    const { raft, guard, doubt, proposer, isReachable, electionTimeoutMs } = ports;
    this.#propose = (command) => proposer.proposeNow(command);
    this.#duties = new LeaderDuties(ports.liveness);
    this.#enactments = new Enactments({ raft, guard, doubt, now: () => proposer.now() });
    this.#membership = new Membership({
      raft,
      forbids: (change) => guard?.refusalOf(change) ?? (change.context === '' ? undefined : doubt()),
      certified: (change) => {
        const action = guard?.requirementOf(change);
        const context = action === undefined ? '' : ports.approvalOf(action);
        return context === undefined ? undefined : { ...change, context };
      },
      isReachable,
      propose: this.#propose,
      electionTimeoutMs,
    });
  }

  get isServing(): boolean {
    return this.#isServing;
  }

  /** This leader serves from now on. */
  begin(nowMs: number): void {
    this.#isServing = true;
    this.#duties.begin(this.#ports.state(), nowMs);
    this.#membership.begin(nowMs);
    for (const { from, id, question } of this.#early.splice(0)) this.#answer(from, id, question, nowMs);
  }

  /** It serves no longer. Whoever waits asks the next leader. */
  end(): void {
    this.#isServing = false;
    this.#duties.end();
    this.#membership.end();
    this.#enactments.end();
  }

  /** Another node leads, or nobody. */
  forget(): void {
    this.#early = [];
  }

  /** A question, of this node or another. A new leader is asked as soon as it is known, and that is before it may answer. */
  onQuestion(from: NodeId, id: number, question: Question, nowMs: number): void {
    if (this.#isServing) this.#answer(from, id, question, nowMs);
    else if (this.#ports.raft.role === 'leader' && this.#early.length < maxEarly) this.#early.push({ from, id, question });
  }

  #answer(from: NodeId, id: number, question: Question, nowMs: number): void {
    const respond = (reply: Reply): void => this.#ports.respond(from, id, reply);
    if (question.kind === 'members' || question.kind === 'transfer') this.#membership.answer(question, nowMs, respond);
    else if (question.kind === 'enact') this.#enactments.answer(question, this.#ports.state(), respond);
    else this.#duties.answer(question, from, this.#ports.state(), nowMs, respond);
  }

  /** Matches tasks with free agents. */
  schedule(): void {
    if (this.#isServing) this.#duties.schedule(this.#ports.state(), this.#ports.proposer.now(), this.#propose);
  }

  /** Once a heartbeat interval: gives up what has fallen silent, and goes on with changes of the members. */
  patrol(nowMs: number): void {
    if (!this.#isServing) return;
    const state = this.#ports.state();
    this.#duties.patrol(state, this.#ports.proposer.now(), nowMs, this.#propose);
    this.#membership.patrol(state.members, nowMs);
  }

  // As the log is applied.

  onCommand(command: Command): void {
    if (command.op === 'AssignTasks') this.#duties.onAssignApplied(command.assignments);
    else if (command.op === 'Tick') this.#duties.onTickApplied();
  }

  onGuarded(index: LogIndex, result: CommandResult): void {
    this.#enactments.onApplied(index, result);
  }

  onConfiguration(index: LogIndex): void {
    this.#membership.onApplied(index, this.#isServing ? this.#ports.state().members : undefined);
  }

  onApplied(events: readonly StateEvent[], nowMs: number): void {
    if (this.#isServing) this.#duties.onApplied(events, this.#ports.state(), nowMs);
  }
}
