import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { build, type Histogram } from 'hdr-histogram-js';
import { CliError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Answers, Numbered, Order } from './gossip-hosts.ts';
import { pause } from '../http.ts';

export interface GossipBenchFlags {
  readonly nodes: number;
  readonly processes: number;
  readonly updates: number;
  readonly seconds: number;
  readonly rate: number;
  readonly writers: number;
  readonly loss: number;
  readonly carrier: 'auto' | 'mesh' | 'gossipsub';
}

/** From a write to its arrival, in milliseconds. */
export interface SpreadFigures {
  readonly nodes: number;
  readonly lossPercent: number;
  readonly updates: number;
  readonly oneP50Ms: number;
  readonly oneP99Ms: number;
  /** Until 99 % of the nodes have an update. */
  readonly mostP50Ms: number;
  readonly mostP99Ms: number;
  /** Updates that were everywhere within two rounds of anti-entropy. */
  readonly inTwoRounds: number;
  readonly allMaxMs: number;
}

export interface LoadFigures {
  readonly nodes: number;
  readonly writers: number;
  readonly seconds: number;
  readonly writtenPerSecond: number;
  /** At all nodes together. */
  readonly takenPerSecond: number;
  readonly takenPerSecondAndNode: number;
  /** Of one core that does nothing else, all that a node does with an update included. */
  readonly takenPerSecondOfACore: number;
  readonly updatesPerBatch: number;
}

const hostsModule = fileURLToPath(new URL('./gossip-hosts.js', import.meta.url));
const twoRoundsMs = 2 * 250 * 1.2;
const arrivalTimeoutMs = 10_000;

/** A process of hosts, which answers orders. */
class HostProcess {
  readonly #child: ChildProcess;
  readonly #open = new Map<number, { readonly resolve: (answer: never) => void; readonly reject: (error: Error) => void }>();
  #orders = 0;

  constructor() {
    this.#child = fork(hostsModule);
    this.#child.on('message', ({ id, answer, error }: { id: number; answer: never; error?: string }) => {
      const open = this.#open.get(id);
      this.#open.delete(id);
      if (error === undefined) open?.resolve(answer);
      else open?.reject(new CliError(exitCodes.error, error));
    });
    this.#child.on('exit', (code) => {
      for (const { reject } of this.#open.values()) reject(new CliError(exitCodes.error, `a process of hosts ended with code ${code}`));
    });
  }

  ask<Type extends Order['type']>(order: Extract<Order, { readonly type: Type }>): Promise<Answers[Type]> {
    const numbered: Numbered = { id: ++this.#orders, order };
    return new Promise((resolve, reject) => {
      this.#open.set(numbered.id, { resolve, reject });
      this.#child.send(numbered);
    });
  }

  stop(): void {
    if (this.#child.connected) this.#child.disconnect();
  }
}

/** Real libp2p hosts in some processes, all on loopback and all linked with all, that gossip and do nothing else. */
class Hosts {
  readonly #processes: readonly HostProcess[];
  readonly #flags: GossipBenchFlags;

  constructor(flags: GossipBenchFlags) {
    this.#flags = flags;
    this.#processes = Array.from({ length: Math.min(flags.processes, flags.nodes) }, () => new HostProcess());
  }

  /** How many of `count` fall to each process. */
  #shares(count: number): readonly number[] {
    const { length } = this.#processes;
    return this.#processes.map((_, i) => Math.floor(count / length) + Number(i < count % length));
  }

  #all<Type extends Order['type']>(
    order: (share: number) => Extract<Order, { readonly type: Type }>,
    count: number,
  ): Promise<Answers[Type][]> {
    const shares = this.#shares(count);
    return Promise.all(this.#processes.map((one, i) => one.ask<Type>(order(shares[i] ?? 0))));
  }

  async start({ interrupt }: Context): Promise<void> {
    const { nodes, loss, carrier } = this.#flags;
    const members = (await this.#all<'start'>((share) => ({ type: 'start', nodes: share, settings: { carrier }, loss }), nodes)).flat();
    // A few more at a time: all handshakes at once would each last longer than a dial may.
    for (let count = 4; count < nodes + 4 && !interrupt.aborted; count += 4) {
      const some = members.toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1)).slice(0, count);
      await this.#all<'meet'>(() => ({ type: 'meet', members: some }), nodes);
    }
    // The hurry after a link came up is over by then, and the meshes of gossipsub are made.
    await pause(4000, interrupt);
  }

  stop(): void {
    for (const one of this.#processes) one.stop();
  }

  /** One update at a time, each by another host. */
  async spread({ interrupt }: Context): Promise<SpreadFigures> {
    const { nodes, updates, loss } = this.#flags;
    const [one, most, all] = [histogram(), histogram(), histogram()];
    let inTwoRounds = 0;
    for (let update = 0; update < updates && !interrupt.aborted; update++) {
      const key = `spread-${update}`;
      const arrived = this.#all<'arrivals'>((count) => ({ type: 'arrivals', key, count, timeoutMs: arrivalTimeoutMs }), nodes);
      const writer = update % this.#processes.length;
      const host = Math.floor(update / this.#processes.length) % (this.#shares(nodes)[writer] ?? 1);
      const beganMs = (await this.#processes[writer]?.ask<'write'>({ type: 'write', host, key })) ?? 0;
      // The writer's own is no arrival.
      const times = (await arrived)
        .flat()
        .map((ms) => ms - beganMs)
        .toSorted((a, b) => a - b)
        .slice(1);
      for (const ms of times) record(one, ms);
      record(most, times[Math.ceil(0.99 * nodes) - 2] ?? arrivalTimeoutMs);
      const last = times.length === nodes - 1 ? (times.at(-1) ?? 0) : arrivalTimeoutMs;
      record(all, last);
      if (last <= twoRoundsMs) inTwoRounds++;
    }
    return {
      nodes,
      lossPercent: loss,
      updates,
      oneP50Ms: at(one, 50),
      oneP99Ms: at(one, 99),
      mostP50Ms: at(most, 50),
      mostP99Ms: at(most, 99),
      inTwoRounds,
      allMaxMs: at(all, 100),
    };
  }

  /** Some hosts write the statuses of their agents again and again, so that all of them together write at the rate. */
  async load(): Promise<LoadFigures> {
    const { nodes, seconds, rate, writers } = this.#flags;
    const loads = await this.#all<'load'>((share) => ({ type: 'load', writers: share, rate: rate / writers, seconds }), writers);
    const sum = (of: (load: Answers['load']) => number): number => loads.reduce((total, load) => total + of(load), 0);
    const took = Math.max(...loads.map((load) => load.seconds));
    const taken = sum((load) => load.taken);
    return {
      nodes,
      writers,
      seconds: Math.round(took * 10) / 10,
      writtenPerSecond: Math.round(sum(({ written }) => written) / took),
      takenPerSecond: Math.round(taken / took),
      takenPerSecondAndNode: Math.round(taken / took / nodes),
      takenPerSecondOfACore: Math.round(taken / sum(({ cpuSeconds }) => cpuSeconds)),
      updatesPerBatch: Math.round(
        taken /
          Math.max(
            1,
            sum(({ batches }) => batches),
          ),
      ),
    };
  }
}

export async function benchGossip(
  flags: GossipBenchFlags,
  context: Context,
  report: (figures: SpreadFigures | LoadFigures, text: string) => void,
): Promise<void> {
  const hosts = new Hosts(flags);
  try {
    await hosts.start(context);
    const s = await hosts.spread(context);
    const near = `${s.updates} updates among ${s.nodes} nodes, ${s.lossPercent} % of frames lost`;
    const far = `another node has it after ${s.oneP50Ms} ms at the median, ${s.oneP99Ms} ms at p99; 99 % of the nodes after ${s.mostP50Ms} ms at the median, ${s.mostP99Ms} ms at p99`;
    report(
      s,
      `${near}\n${far}\nall nodes have it after ${s.allMaxMs} ms at worst; ${s.inTwoRounds} of ${s.updates} within two rounds of anti-entropy`,
    );
    const l = await hosts.load();
    report(
      l,
      `${l.writtenPerSecond} updates written a second by ${l.writers} nodes, ${l.takenPerSecond} taken in a second by all nodes together, ${l.takenPerSecondAndNode} by each; ${l.updatesPerBatch} in a batch\na core takes in ${l.takenPerSecondOfACore} a second`,
    );
  } finally {
    hosts.stop();
  }
}

const histogram = (): Histogram => build({ numberOfSignificantValueDigits: 3, highestTrackableValue: 60_000_000 });

/** In microseconds. */
const record = (into: Histogram, ms: number): void => into.recordValue(Math.max(0, Math.round(ms * 1000)));

const at = (of: Histogram, percentile: number): number => Math.round(of.getValueAtPercentile(percentile) / 100) / 10;
