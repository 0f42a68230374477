import type { Replica } from '../src/node/replica.ts';
import { type ClientPorts, Connection } from './clients.ts';
import { KeyClients } from './key-clients.ts';
import type { Clients } from './plan.ts';
import { TaskClients } from './task-clients.ts';

export interface WorkloadCounts {
  writes: number;
  /** With any answer, also that a condition was not met. */
  writesAcknowledged: number;
  reads: number;
  tasksSubmitted: number;
  tasksAcknowledged: number;
  completions: number;
  failures: number;
}

/** Clients of a world: some write and read keys, one submits tasks, agents claim them and bring them to an end. What they are told goes to the invariants and into the history. */
export class Workload {
  readonly counts: WorkloadCounts = {
    writes: 0,
    writesAcknowledged: 0,
    reads: 0,
    tasksSubmitted: 0,
    tasksAcknowledged: 0,
    completions: 0,
    failures: 0,
  };
  readonly #connection: Connection;
  readonly #keys: KeyClients;
  readonly #tasks: TaskClients;

  constructor(ports: ClientPorts) {
    this.#connection = new Connection(ports);
    this.#keys = new KeyClients(this.#connection, ports.history, ports.observer, this.counts);
    this.#tasks = new TaskClients(this.#connection, ports.history, ports.observer, this.counts);
  }

  start({ writers, readers, agents }: Clients): void {
    const soon = (withinUs: number, job: () => void): void => this.#connection.after(this.#connection.below(withinUs), job);
    for (let client = 0; client < writers; client++) soon(100_000, () => this.#keys.write(client));
    for (let client = 0; client < readers; client++) soon(100_000, () => this.#keys.read(writers + client));
    if (agents === 0) return;
    soon(200_000, () => this.#tasks.submit());
    soon(200_000, () => this.#tasks.read());
    for (let i = 0; i < agents; i++) soon(100_000, () => this.#tasks.register(i));
  }

  /** No new tasks; agents go on until the queue is empty. */
  drain(): void {
    this.#tasks.drain();
  }

  /** True when every acknowledged task has come to an end on this node. */
  isDrained(replica: Replica): boolean {
    return this.#tasks.isDrained(replica);
  }
}
