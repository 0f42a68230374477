import { build, type Histogram } from 'hdr-histogram-js';
import { createIdentity, GossipHost, type Logger, nodeId } from '../src/index.ts';
import { CliError } from './cli-error.ts';
import type { Context } from './context.ts';
import { exitCodes } from './exit-codes.ts';
import { pause } from './http.ts';
import { freeRange } from './ports.ts';

export interface GossipBenchFlags {
  readonly nodes: number;
  readonly updates: number;
  readonly seconds: number;
  readonly rate: number;
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
  readonly seconds: number;
  readonly writtenPerSecond: number;
  /** At all nodes together. */
  readonly takenPerSecond: number;
  readonly takenPerSecondAndNode: number;
  /** Of one core that does nothing else, all that a node does with an update included. */
  readonly takenPerSecondOfACore: number;
  readonly updatesPerBatch: number;
}

const statusBytes = 100;
const twoRoundsMs = 2 * 250 * 1.2;
const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Real libp2p hosts in this process, all on loopback, that gossip and do nothing else. */
class Hosts {
  readonly #hosts: GossipHost[] = [];
  /** When each update reached each host: of what is being measured. */
  readonly #arrivals = new Map<string, number[]>();

  async start({ nodes, loss, carrier }: GossipBenchFlags, context: Context): Promise<void> {
    const identities = await Promise.all(Array.from({ length: nodes }, () => createIdentity()));
    const port = await freeRange(nodes);
    const members = identities.map(({ nodeId: id }, i) => ({ nodeId: nodeId(id), host: '127.0.0.1', port: port + i }));
    for (const { privateKeyBytes: privateKey } of identities) {
      const onChanged = (keys: ReadonlySet<string>): void => {
        for (const key of keys) this.#arrivals.get(key)?.push(performance.now());
      };
      const options = { clusterId: 'bench', privateKey, members, settings: { carrier }, logger: silent, lossPercent: loss, onChanged };
      this.#hosts.push(await GossipHost.start(options));
      await this.#linked(context);
    }
    // The hurry after a link came up is over by then, and the meshes of gossipsub are made.
    await pause(4000);
  }

  /** One after the other: all handshakes at once would each last longer than a dial may. */
  async #linked(context: Context): Promise<void> {
    const count = this.#hosts.length;
    const links = (): number => this.#hosts.reduce((sum, host) => sum + host.links, 0);
    const endMs = performance.now() + 120_000;
    while (links() < count * (count - 1) && !context.interrupt.aborted) {
      if (performance.now() > endMs)
        throw new CliError(
          exitCodes.error,
          `only ${links()} of the ${count * (count - 1)} links of ${count} hosts came up in 2 minutes`,
          'fewer --nodes may do',
        );
      await pause(20);
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#hosts.map((host) => host.stop()));
  }

  /** One update at a time, each by another host. */
  async spread({ nodes, updates, loss }: GossipBenchFlags): Promise<SpreadFigures> {
    const [one, most, all] = [histogram(), histogram(), histogram()];
    let inTwoRounds = 0;
    for (let update = 0; update < updates; update++) {
      const key = `latency-${update}`;
      const arrivals: number[] = [];
      this.#arrivals.set(key, arrivals);
      const beganMs = performance.now();
      this.#write(update, key);
      while (arrivals.length < nodes && performance.now() - beganMs < 10_000) await pause(20);
      this.#arrivals.delete(key);
      // The writer's own is no arrival.
      const times = arrivals
        .toSorted((a, b) => a - b)
        .slice(1)
        .map((ms) => ms - beganMs);
      for (const ms of times) record(one, ms);
      record(most, times[Math.ceil(0.99 * nodes) - 2] ?? 10_000);
      const last = times.length === nodes - 1 ? (times.at(-1) ?? 0) : 10_000;
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

  /** Every host writes the statuses of its agents again and again, so that all of them together write at the rate. */
  async load({ nodes, seconds, rate }: GossipBenchFlags): Promise<LoadFigures> {
    const perHost = rate / nodes;
    const before = this.#sums();
    const cpu = process.cpuUsage();
    const beganMs = performance.now();
    const written = this.#hosts.map(() => 0);
    for (let elapsedMs = 0; elapsedMs < seconds * 1000; elapsedMs = performance.now() - beganMs) {
      for (const [i, host] of this.#hosts.entries()) {
        const due = Math.floor((elapsedMs * perHost) / 1000);
        for (let count = written[i] ?? 0; count < due; count++) this.#write(i, `load-${host.id.slice(-8)}-${count % 1000}`);
        written[i] = Math.max(written[i] ?? 0, due);
      }
      await pause(5);
    }
    const took = (performance.now() - beganMs) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    const { updates, batches } = this.#sums();
    const taken = updates - before.updates;
    return {
      nodes,
      seconds: Math.round(took * 10) / 10,
      writtenPerSecond: Math.round(written.reduce((sum, count) => sum + count, 0) / took),
      takenPerSecond: Math.round(taken / took),
      takenPerSecondAndNode: Math.round(taken / took / nodes),
      takenPerSecondOfACore: Math.round(taken / ((user + system) / 1e6)),
      updatesPerBatch: Math.round(taken / Math.max(1, batches - before.batches)),
    };
  }

  #write(host: number, key: string): void {
    this.#hosts[host % this.#hosts.length]?.driver.write(key, new Uint8Array(statusBytes), { generation: 1, role: 'owner' });
  }

  #sums(): { readonly updates: number; readonly batches: number } {
    let [updates, batches] = [0, 0];
    for (const { driver } of this.#hosts) {
      updates += driver.counters.updatesTaken + driver.counters.repaired;
      batches += driver.counters.batchesTaken;
    }
    return { updates, batches };
  }
}

export async function benchGossip(
  flags: GossipBenchFlags,
  context: Context,
  report: (figures: SpreadFigures | LoadFigures, text: string) => void,
): Promise<void> {
  const hosts = new Hosts();
  try {
    await hosts.start(flags, context);
    const s = await hosts.spread(flags);
    const near = `${s.updates} updates among ${s.nodes} nodes, ${s.lossPercent} % of frames lost`;
    const far = `another node has it after ${s.oneP50Ms} ms at the median, ${s.oneP99Ms} ms at p99; 99 % of the nodes after ${s.mostP50Ms} ms at the median, ${s.mostP99Ms} ms at p99`;
    report(
      s,
      `${near}\n${far}\nall nodes have it after ${s.allMaxMs} ms at worst; ${s.inTwoRounds} of ${s.updates} within two rounds of anti-entropy`,
    );
    const l = await hosts.load(flags);
    report(
      l,
      `${l.writtenPerSecond} updates written a second, ${l.takenPerSecond} taken in a second by all nodes together, ${l.takenPerSecondAndNode} by each; ${l.updatesPerBatch} in a batch\na core takes in ${l.takenPerSecondOfACore} a second`,
    );
  } finally {
    await hosts.stop();
  }
}

const histogram = (): Histogram => build({ numberOfSignificantValueDigits: 3, highestTrackableValue: 60_000_000 });

/** In microseconds. */
const record = (into: Histogram, ms: number): void => into.recordValue(Math.round(ms * 1000));

const at = (of: Histogram, percentile: number): number => Math.round(of.getValueAtPercentile(percentile) / 100) / 10;
