import type { NodeId } from '../core/ids.ts';
import type { ClusterState } from '../tasks/state.ts';
import type { Question, Reply } from '../wire/frames.ts';
import type { Enactments } from './guarding/enactments.ts';
import type { LeaderDuties } from './leader-duties.ts';
import type { Membership } from './membership.ts';

export interface DeskPorts {
  readonly duties: LeaderDuties;
  readonly membership: Membership;
  readonly enactments: Enactments;
  readonly state: () => ClusterState;
  readonly respond: (to: NodeId, id: number, reply: Reply) => void;
}

/** Questions that wait until this leader serves; more are asked again. */
const maxEarly = 16_384;

/** Where questions to the leader come in, each to be answered by the part that it is about. */
export class Desk {
  readonly #ports: DeskPorts;
  /** Asked before this leader serves. */
  #early: { readonly from: NodeId; readonly id: number; readonly question: Question }[] = [];

  constructor(ports: DeskPorts) {
    this.#ports = ports;
  }

  /** A new leader is asked as soon as it is known, and that is before it may answer. */
  keep(from: NodeId, id: number, question: Question): void {
    if (this.#early.length < maxEarly) this.#early.push({ from, id, question });
  }

  /** This leader serves. */
  answerEarly(nowMs: number): void {
    for (const { from, id, question } of this.#early.splice(0)) this.answer(from, id, question, nowMs);
  }

  dropEarly(): void {
    this.#early = [];
  }

  answer(from: NodeId, id: number, question: Question, nowMs: number): void {
    const { duties, membership, enactments, state } = this.#ports;
    const respond = (reply: Reply): void => this.#ports.respond(from, id, reply);
    if (question.kind === 'members' || question.kind === 'transfer') membership.answer(question, nowMs, respond);
    else if (question.kind === 'enact') enactments.answer(question, state(), respond);
    else duties.answer(question, from, state(), nowMs, respond);
  }
}
