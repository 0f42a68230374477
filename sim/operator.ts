import type { NodeId } from '../src/core/ids.ts';
import type { Random } from '../src/core/random.ts';
import type { Replica } from '../src/node/replica.ts';
import { isJoint } from '../src/raft/configuration.ts';
import { type ConfigurationChange, leaveJoint, type MemberChange } from '../src/raft/configuration-change.ts';
import type { Configuration } from '../src/raft/messages.ts';
import type { EventQueue } from './event-queue.ts';

export interface OperatorPorts {
  readonly queue: EventQueue;
  readonly random: Random;
  /** A node that is up and asked this time, if the one drawn is. */
  anyReplica(): Replica | undefined;
}

const patienceMs = 3000;
const pauseUs = 200_000;

/**
 * One of those who change the members of a world, perhaps against each other: goes on, one step after the other, until the voters are the ones that are wanted. The ways are drawn: one member at a
 * time or all at once, with a joint configuration that is left by itself or on request, promotion by hand or by the leader, removal at once or after demotion.
 */
export class Operator {
  readonly #ports: OperatorPorts;
  #wanted: readonly NodeId[] = [];
  #isAtWork = false;

  constructor(ports: OperatorPorts) {
    this.#ports = ports;
  }

  /** None: nothing new is begun, but a joint configuration is left. */
  want(voters: readonly NodeId[]): void {
    this.#wanted = voters;
    if (this.#isAtWork) return;
    this.#isAtWork = true;
    this.#again();
  }

  #again(): void {
    this.#ports.queue.after(pauseUs + this.#ports.random.below(pauseUs), () => this.#step());
  }

  #step(): void {
    const replica = this.#ports.anyReplica();
    if (replica === undefined) return this.#again();
    const { configuration } = replica.raft;
    const change = this.#next(replica, configuration, this.#wanted);
    if (change === undefined) {
      // Done, as far as that node knows: somebody else may want others now.
      if (this.#wanted.length > 0 && !isJoint(configuration)) this.#isAtWork = false;
      else this.#again();
      return undefined;
    }
    let isAnswered = false;
    const goOn = (): void => {
      if (isAnswered) return;
      isAnswered = true;
      this.#again();
    };
    replica.requests.changeMembers(change, patienceMs, goOn);
    // The node may die with the question.
    this.#ports.queue.after(2000 * patienceMs, goOn);
    return undefined;
  }

  #next(replica: Replica, configuration: Configuration, wanted: readonly NodeId[]): ConfigurationChange | undefined {
    const { voters, learners } = configuration;
    if (isJoint(configuration)) return configuration.autoLeave ? undefined : leaveJoint;
    if (wanted.length === 0) return undefined;
    const newcomers = wanted.filter((node) => !voters.includes(node) && !learners.includes(node));
    if (newcomers.length > 0) {
      if (this.#ports.random.below(2) === 0) for (const node of newcomers) this.#letPromote(replica, node);
      return this.#change(newcomers.map((node) => ({ type: 'add-learner', node })));
    }
    const added = wanted.filter((node) => !voters.includes(node)).map((node): MemberChange => ({ type: 'add-voter', node }));
    const gone = [...voters, ...learners].filter((node) => !wanted.includes(node));
    const removed = gone.map((node): MemberChange => {
      const isDemoted = voters.includes(node) && this.#ports.random.below(3) === 0;
      return { type: isDemoted ? 'add-learner' : 'remove', node };
    });
    const changes = [...added, ...removed];
    return changes.length === 0 ? undefined : this.#change(changes);
  }

  #change(changes: readonly MemberChange[]): ConfigurationChange {
    const { random } = this.#ports;
    const [first] = changes;
    const isOneByOne = random.below(2) === 0 && first !== undefined;
    const transition = (['auto', 'auto', 'joint-implicit', 'joint-explicit'] as const)[random.below(4)] ?? 'auto';
    return { transition, changes: isOneByOne ? [first] : changes, context: '' };
  }

  /** The leader promotes it by itself. */
  #letPromote(replica: Replica, node: NodeId): void {
    const member = { nodeId: node, name: String(node), http: `http://${node}:1`, peer: `${node}:2`, promote: true };
    replica.requests.submit({ op: 'PutMember', member }, undefined, patienceMs, () => {});
  }
}
