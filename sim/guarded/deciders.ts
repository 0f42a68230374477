import { nextConfiguration, successionAction } from '../../src/byzantine/epoch-chain.ts';
import type { EpochConfiguration } from '../../src/byzantine/epoch.ts';
import type { GuardedAction } from '../../src/byzantine/guard.ts';
import { emptyBytes } from '../../src/core/bytes.ts';
import type { NodeId } from '../../src/core/ids.ts';
import type { Random } from '../../src/core/random.ts';
import type { Replica } from '../../src/node/replica.ts';
import type { ConfigurationChange, MemberChange } from '../../src/raft/configuration-change.ts';
import type { EventQueue } from '../event-queue.ts';
import { hold } from '../violation.ts';
import type { ApprovalRecord } from './record.ts';
import { rules, type Signers } from './signers.ts';

export interface DeciderPorts {
  readonly queue: EventQueue;
  readonly random: Random;
  readonly signers: Signers;
  readonly record: ApprovalRecord;
  /** Nodes that are up. */
  replicas(): readonly Replica[];
  isLying(node: NodeId): boolean;
}

interface Held {
  readonly action: GuardedAction;
  readonly bytes: Uint8Array;
}

const patienceMs = 2000;

/**
 * Clients that have decisions of the members carried out, and members come and go; and liars who try the same with certificates that are none, or are about something
 * else, were rejected, are signed by too few, or are of an epoch that is over.
 */
export class Deciders {
  readonly counts = { approved: 0, carriedOut: 0, changes: 0, attacks: 0 };
  readonly #ports: DeciderPorts;
  /** Everything that was ever approved: a liar keeps it. */
  #held: Held[] = [];

  constructor(ports: DeciderPorts) {
    this.#ports = ports;
  }

  start(count: number): void {
    for (let client = 0; client < count; client++) this.#soon();
    for (let secret = 0; secret < secrets; secret++)
      this.#ports.queue.after(1_500_000, () =>
        this.#any()?.requests.submit({ op: 'PutSecret', name: `s${secret}`, value: 'hush' }, undefined, patienceMs, () => {}),
      );
  }

  #soon(): void {
    this.#ports.queue.after(100_000 + this.#below(500_000), () => {
      const replica = this.#any();
      if (replica !== undefined) this.#decide(replica);
      this.#soon();
    });
  }

  #decide(replica: Replica): void {
    switch (this.#below(8)) {
      case 0:
      case 1:
        return this.#enact(replica, this.#approve(this.#action()));
      case 2:
        return this.#enact(replica, this.#oneOf(this.#held) ?? this.#approve(this.#action()));
      case 3:
        return this.#change(replica, true);
      case 4:
        return this.#change(this.#liar() ?? replica, false);
      default:
        return this.#attack(this.#liar() ?? replica);
    }
  }

  #enact(replica: Replica, { action, bytes }: Held): void {
    replica.requests.enact(action, bytes, patienceMs, ({ ok }) => {
      if (ok) this.counts.carriedOut++;
    });
  }

  #approve(action: GuardedAction, configuration = this.#current()): Held {
    const { signers, record } = this.#ports;
    const { id, bytes } = signers.certificate(action, { configuration });
    record.add(id, configuration.epoch, action);
    const held = { action, bytes };
    this.#held = [...this.#held, held].slice(-50);
    this.counts.approved++;
    return held;
  }

  #attack(replica: Replica): void {
    const { signers } = this.#ports;
    const configuration = this.#current();
    const action = this.#action();
    const other = { ...action, subject: `${action.subject}x` };
    const forged = [
      () => emptyBytes,
      () => Uint8Array.of(1, 2, 3),
      () => signers.certificate(action, { configuration, signers: 1 }).bytes,
      () => signers.certificate(action, { configuration, signers: 2 }).bytes,
      () => signers.certificate(action, { configuration, outcome: 1 }).bytes,
      () => signers.certificate(other, { configuration }).bytes,
      () => signers.certificate({ ...action, kind: 'evict' }, { configuration }).bytes,
      () => signers.certificate({ ...action, payload: `${action.payload} ` }, { configuration }).bytes,
      () =>
        signers.certificate(action, { configuration: { ...configuration, epoch: Math.max(0, configuration.epoch - 1) }, signers: 2 }).bytes,
    ];
    const bytes = this.#oneOf(forged)?.() ?? emptyBytes;
    this.counts.attacks++;
    replica.requests.enact(action, bytes, patienceMs, ({ ok }) =>
      hold(!ok, 'certified-only', () => 'an unapproved command was acknowledged'),
    );
  }

  /** A voter comes or goes; approved or not. */
  #change(replica: Replica, isApproved: boolean): void {
    const { signers, record } = this.#ports;
    const { voters, learners, outgoing } = replica.raft.configuration;
    if (outgoing.length > 0) return;
    const configuration = this.#current();
    const outside = signers.ids.filter((id) => !voters.includes(id));
    const newcomer = this.#oneOf(outside);
    const leaver = voters.length > 4 && this.#below(2) === 0 ? this.#oneOf(voters) : undefined;
    const change: MemberChange | undefined =
      leaver !== undefined
        ? { type: 'remove', node: leaver }
        : newcomer && { type: learners.includes(newcomer) ? 'add-voter' : 'add-learner', node: newcomer };
    if (change === undefined) return;
    const after =
      change.type === 'remove'
        ? voters.filter((id) => id !== change.node)
        : change.type === 'add-voter'
          ? [...voters, change.node]
          : voters;
    const next = nextConfiguration(rules, configuration, after);
    if (next === undefined || after === voters) return this.#ask(replica, change, '');
    if (!isApproved) {
      this.counts.attacks++;
      const context = this.#below(2) === 0 ? '' : textOf(this.#oneOf(this.#held)?.bytes ?? emptyBytes);
      return this.#ask(replica, change, context);
    }
    record.addSuccessor(next.epoch, after);
    this.counts.changes++;
    return this.#ask(replica, change, textOf(this.#approve(successionAction(configuration, next), configuration).bytes));
  }

  #ask(replica: Replica, change: MemberChange, context: string): void {
    const what: ConfigurationChange = { transition: 'auto', changes: [change], context };
    replica.requests.changeMembers(what, patienceMs, () => {});
  }

  /** The newest epoch that an honest node knows. */
  #current(): EpochConfiguration {
    let newest = this.#ports.signers.founding;
    for (const { guard } of this.#ports.replicas()) if (guard !== undefined && guard.current.epoch > newest.epoch) newest = guard.current;
    return newest;
  }

  #action(): GuardedAction {
    const number = this.#below(1000);
    return this.#below(2) === 0
      ? { kind: 'deployment-approve', subject: `deploy:${number}`, payload: '' }
      : { kind: 'secret-unlock', subject: `secret:s${number % secrets}`, payload: `{"forMs":${1000 + number}}` };
  }

  #liar(): Replica | undefined {
    return this.#oneOf(this.#ports.replicas().filter(({ id }) => this.#ports.isLying(id)));
  }

  #any(): Replica | undefined {
    return this.#oneOf(this.#ports.replicas());
  }

  #oneOf<T>(things: readonly T[]): T | undefined {
    return things[things.length === 0 ? 0 : this.#below(things.length)];
  }

  #below(bound: number): number {
    return this.#ports.random.below(bound);
  }
}

const secrets = 3;

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
