import { createIdentity, GossipHost, type GossipSettings, type Logger } from '../../src/index.ts';
import { pause } from '../http.ts';

// A process of `bench gossip`: some of the hosts, which do what the parent says by the channel between the two.

type Member = GossipHost['member'];

export type Order =
  | { readonly type: 'start'; readonly nodes: number; readonly settings: GossipSettings; readonly loss: number }
  /** Links the hosts here that are among these. */
  | { readonly type: 'meet'; readonly members: readonly Member[] }
  | { readonly type: 'write'; readonly host: number; readonly key: string }
  /** When the key came to each of the hosts here, once it has come to so many, or after that time. */
  | { readonly type: 'arrivals'; readonly key: string; readonly count: number; readonly timeoutMs: number }
  /** The first so many hosts here write, each at this rate. */
  | { readonly type: 'load'; readonly writers: number; readonly rate: number; readonly seconds: number };

export interface Load {
  readonly written: number;
  readonly taken: number;
  readonly batches: number;
  readonly cpuSeconds: number;
  readonly seconds: number;
}

/** Answers to orders. Times are of a clock that the processes of one machine share, in milliseconds. */
export interface Answers {
  readonly start: readonly Member[];
  readonly meet: undefined;
  readonly write: number;
  readonly arrivals: readonly number[];
  readonly load: Load;
}

export interface Numbered {
  readonly id: number;
  readonly order: Order;
}

/** What an agent's status, load, latency and success rate take. */
const statusBytes = 40;
/** Of keys that are written again and again; the way of all others is measured. */
const loadPrefix = 'load-';
const linkTimeoutMs = 60_000;
const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const hosts: GossipHost[] = [];
const arrivals = new Map<string, number[]>();
let onArrival = (): void => {};

const sharedMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/** An update may be here before the order to wait for it is. */
function onChanged(keys: ReadonlySet<string>): void {
  for (const key of keys) if (!key.startsWith(loadPrefix)) arrivalsOf(key).push(sharedMs());
  onArrival();
}

function arrivalsOf(key: string): number[] {
  let times = arrivals.get(key);
  if (times === undefined) arrivals.set(key, (times = []));
  return times;
}

async function carryOut(order: Order): Promise<Answers[Order['type']]> {
  switch (order.type) {
    case 'start': {
      for (let i = 0; i < order.nodes; i++) {
        const { privateKeyBytes: privateKey } = await createIdentity();
        const { settings, loss: lossPercent } = order;
        hosts.push(await GossipHost.start({ clusterId: 'bench', privateKey, settings, logger: silent, lossPercent, onChanged }));
      }
      return hosts.map(({ member }) => member);
    }
    case 'meet':
      return await meet(order.members);
    case 'write':
      return write(order.host, order.key);
    case 'arrivals':
      return await waitFor(order);
    case 'load':
      return await load(order);
  }
}

async function meet(members: readonly Member[]): Promise<undefined> {
  const here = hosts.filter(({ id }) => members.some(({ nodeId }) => nodeId === id));
  for (const host of here) host.meet(members);
  const endMs = sharedMs() + linkTimeoutMs;
  while (here.some(({ links }) => links < members.length - 1)) {
    if (sharedMs() > endMs) throw new Error(`the links of ${members.length} hosts did not come up in a minute`);
    await pause(5);
  }
  return undefined;
}

function write(host: number, key: string): number {
  const atMs = sharedMs();
  hosts[host]?.driver.write(key, new Uint8Array(statusBytes), { generation: 1, role: 'owner' });
  return atMs;
}

function waitFor({ key, count, timeoutMs }: Extract<Order, { readonly type: 'arrivals' }>): Promise<readonly number[]> {
  const times = arrivalsOf(key);
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      onArrival = () => {};
      arrivals.delete(key);
      resolve(times);
    };
    const timer = setTimeout(end, timeoutMs);
    onArrival = () => {
      if (times.length >= count) end();
    };
    onArrival();
  });
}

async function load({ writers, rate, seconds }: Extract<Order, { readonly type: 'load' }>): Promise<Load> {
  const before = sums();
  const cpu = process.cpuUsage();
  const beganMs = sharedMs();
  let written = 0;
  for (let elapsedMs = 0; elapsedMs < seconds * 1000; elapsedMs = sharedMs() - beganMs) {
    const due = Math.floor((elapsedMs * rate) / 1000) * writers;
    for (; written < due; written++) write(written % writers, `${loadPrefix}${process.pid}-${written % (1000 * writers)}`);
    await pause(5);
  }
  const { user, system } = process.cpuUsage(cpu);
  const { updates, batches } = sums();
  return {
    written,
    taken: updates - before.updates,
    batches: batches - before.batches,
    cpuSeconds: (user + system) / 1e6,
    seconds: (sharedMs() - beganMs) / 1000,
  };
}

function sums(): { readonly updates: number; readonly batches: number } {
  let [updates, batches] = [0, 0];
  for (const { driver } of hosts) {
    updates += driver.counters.updatesTaken + driver.counters.repaired;
    batches += driver.counters.batchesTaken;
  }
  return { updates, batches };
}

process.on('message', ({ id, order }: Numbered) => {
  carryOut(order).then(
    (answer) => process.send?.({ id, answer }),
    (error: unknown) => process.send?.({ id, error: String(error) }),
  );
});
// The parent is gone: nobody wants these hosts.
process.on('disconnect', () => process.exit());
