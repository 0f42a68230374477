import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Genesis } from '../src/index.ts';
import { z } from 'zod';
import { statusSchema, type Status } from './answers.ts';
import { CliError, interrupted, messageOf } from './cli-error.ts';
import { exitCodes } from './exit-codes.ts';
import { readGenesis } from './node/genesis.ts';
import { Http, pause } from './http.ts';
import { initCluster } from './node/init-cluster.ts';
import { faultsFile, faultsOf, parsePartition } from './node/link-faults.ts';
import { checkFree } from './ports.ts';

const recordSchema = z.strictObject({
  nodes: z.array(z.strictObject({ name: z.string(), pid: z.int().positive(), http: z.string() })),
  /** Arguments that every node was started with, for `restart`. */
  startFlags: z.array(z.string()),
});

type DevRecord = z.infer<typeof recordSchema>;
type DevNode = DevRecord['nodes'][number];

/** How long a daemon has to stop before it is killed. */
const stopMs = 10_000;
/** Elections included; a machine under load needs most of it. */
const readyMs = 30_000;
const pollMs = 100;

export interface UpOptions {
  readonly nodes: number;
  /** As given by the user, if at all; an existing cluster keeps its own. */
  readonly httpPort: number | undefined;
  readonly peerPort: number | undefined;
  readonly guardMembership: boolean | undefined;
  readonly startFlags: readonly string[];
  /** Whether the daemons outlive this process. */
  readonly detach: boolean;
}

/**
 * A cluster for development: daemons on this machine as processes of their own. What runs is recorded in `dev.json` of its directory, so that another
 * process can stop it. A pid counts only while its command line still names the node's directory: pids are used again.
 */
export class DevCluster {
  readonly #directory: string;
  readonly #executable: string;
  readonly #interrupt: AbortSignal;
  /** As the cluster was started by this object; what another process started is detached. */
  #isDetached = true;

  constructor(directory: string, executable: string, interrupt: AbortSignal) {
    this.#directory = resolve(directory);
    this.#executable = executable;
    this.#interrupt = interrupt;
  }

  /** Starts all nodes and waits until a leader serves. When that fails, nothing is left running. */
  async up(options: UpOptions): Promise<readonly Status[]> {
    const running = (await this.#record())?.nodes.filter((node) => this.#isAlive(node)) ?? [];
    if (running.length > 0)
      throw new CliError(exitCodes.conflict, `a cluster already runs in ${this.#directory}`, 'stop it with `quorate dev down`');
    const genesis = await this.#genesis(options);
    await checkFree(genesis.members.flatMap(({ http, peer }) => [new URL(http).host, peer]));
    const record: DevRecord = { nodes: [], startFlags: [...options.startFlags] };
    this.#isDetached = options.detach;
    await this.#setFaults(genesis.members.map(({ name }) => name));
    try {
      for (const member of genesis.members) {
        record.nodes.push({ name: member.name, pid: await this.#spawn(member.name, record.startFlags), http: member.http });
        await this.#write(record);
      }
      return await this.#ready(record.nodes);
    } catch (error) {
      await this.down();
      throw error;
    }
  }

  /** Resolves once the cluster was stopped by `dev down` or this process was interrupted. */
  async untilDown(): Promise<void> {
    while (!this.#interrupt.aborted && existsSync(this.#recordPath)) await pause(500, this.#interrupt);
  }

  /** Stops every node, with SIGKILL those that take too long; returns how many ran. */
  async down(): Promise<number> {
    const running = (await this.#record())?.nodes.filter((node) => this.#isAlive(node)) ?? [];
    for (const node of running) {
      signalTo(node, 'SIGTERM');
      // A paused process would not hear it.
      signalTo(node, 'SIGCONT');
    }
    await this.#gone(running, stopMs);
    for (const node of running) if (this.#isAlive(node)) signalTo(node, 'SIGKILL');
    await this.#gone(running, stopMs);
    await rm(this.#recordPath, { force: true });
    return running.length;
  }

  async kill(number: number): Promise<string> {
    const node = await this.#running(number);
    signalTo(node, 'SIGKILL');
    await this.#gone([node], stopMs);
    return node.name;
  }

  async signal(number: number, signal: 'SIGSTOP' | 'SIGCONT'): Promise<string> {
    const node = await this.#running(number);
    signalTo(node, signal);
    return node.name;
  }

  /** Cuts exactly the links that `text` names (see `parsePartition`), or none without it. Returns the nodes. */
  async partition(text: string | undefined): Promise<readonly string[]> {
    const { record } = await this.#node(1);
    const names = record.nodes.map(({ name }) => name);
    await this.#setFaults(names, text);
    return names;
  }

  /** Stops the node if it runs, starts it, and waits until it answers. */
  async restart(number: number): Promise<string> {
    const { record, node } = await this.#node(number);
    if (this.#isAlive(node)) {
      signalTo(node, 'SIGTERM');
      signalTo(node, 'SIGCONT');
      await this.#gone([node], stopMs);
      if (this.#isAlive(node)) signalTo(node, 'SIGKILL');
      await this.#gone([node], stopMs);
    }
    const started = { ...node, pid: await this.#spawn(node.name, record.startFlags) };
    await this.#write({ ...record, nodes: record.nodes.map((one) => (one.name === node.name ? started : one)) });
    const endMs = performance.now() + readyMs;
    while ((await this.#status(started)) === undefined) await this.#nextPoll([started], endMs);
    return node.name;
  }

  async #setFaults(names: readonly string[], text?: string): Promise<void> {
    const faults = faultsOf(names, text === undefined ? () => false : parsePartition(text, names.length));
    for (const [name, lost] of faults) {
      const path = join(this.#directory, name, faultsFile);
      if (text === undefined) await rm(path, { force: true });
      else await writeFile(`${path}.new`, JSON.stringify(lost)).then(() => rename(`${path}.new`, path));
    }
  }

  async #ready(nodes: readonly DevNode[]): Promise<readonly Status[]> {
    const endMs = performance.now() + readyMs;
    for (;;) {
      const found = await Promise.all(nodes.map((node) => this.#status(node)));
      const statuses = found.flatMap((status) => (status === undefined || status.leader === null ? [] : [status]));
      const leader = statuses.find((status) => status.role === 'leader');
      if (
        statuses.length === nodes.length &&
        leader !== undefined &&
        statuses.every(({ term }) => term === leader.term) &&
        (await this.#serves(nodes))
      ) {
        return statuses;
      }
      await this.#nextPoll(nodes, endMs);
    }
  }

  /** A linearizable read gets its answer: the leader has committed in its term. */
  async #serves(nodes: readonly DevNode[]): Promise<boolean> {
    try {
      await this.#http(nodes).request('GET', '/v1/tasks', { query: { limit: 1 } });
      return true;
    } catch {
      return false;
    }
  }

  async #nextPoll(nodes: readonly DevNode[], endMs: number): Promise<void> {
    await pause(pollMs, this.#interrupt);
    if (this.#interrupt.aborted) throw interrupted();
    const dead = nodes.find((node) => !this.#isAlive(node));
    if (dead !== undefined)
      throw new CliError(
        exitCodes.error,
        `${dead.name} ended: ${await this.#lastWords(dead.name)}`,
        `see ${join(this.#directory, dead.name, 'log')}`,
      );
    if (performance.now() > endMs) {
      throw new CliError(
        exitCodes.unavailable,
        `no leader served within ${readyMs / 1000} s`,
        `see the logs in ${this.#directory}/node-*/log`,
      );
    }
  }

  async #status(node: DevNode): Promise<Status | undefined> {
    try {
      return statusSchema.parse(await this.#http([node]).request('GET', '/v1/status'));
    } catch {
      return undefined;
    }
  }

  #http(nodes: readonly DevNode[]): Http {
    return new Http({ endpoints: nodes.map(({ http }) => http), timeoutMs: 1_000 * nodes.length, signal: this.#interrupt });
  }

  async #lastWords(name: string): Promise<string> {
    const text = await readFile(join(this.#directory, name, 'log'), 'utf8').catch(() => '');
    return text.trimEnd().split('\n').at(-1)?.slice(0, 500) ?? '';
  }

  async #genesis({ nodes, httpPort, peerPort, guardMembership }: UpOptions): Promise<Genesis> {
    const path = join(this.#directory, 'genesis.json');
    if (!existsSync(path)) {
      const ports = { httpPort: httpPort ?? 7401, peerPort: peerPort ?? 7501 };
      return await initCluster({ nodes, directory: this.#directory, ...ports, guardMembership });
    }
    const genesis = await readGenesis(path);
    const remove = `use another --dir, or remove ${this.#directory} if its data is not needed`;
    if (genesis.members.length !== nodes)
      throw new CliError(exitCodes.conflict, `${this.#directory} holds a cluster of ${genesis.members.length} nodes, not ${nodes}`, remove);
    const [first] = genesis.members;
    const isOther = (wanted: number | undefined, address = ''): boolean => wanted !== undefined && !address.endsWith(`:${wanted}`);
    if (isOther(httpPort, first?.http) || isOther(peerPort, first?.peer)) {
      throw new CliError(
        exitCodes.conflict,
        `${this.#directory} holds a cluster with other ports (${first?.http ?? ''}, ${first?.peer ?? ''})`,
        remove,
      );
    }
    return genesis;
  }

  async #spawn(name: string, startFlags: readonly string[]): Promise<number> {
    const dataDir = join(this.#directory, name);
    await mkdir(dataDir, { recursive: true });
    const log = await open(join(dataDir, 'log'), 'a');
    try {
      const args = [
        this.#executable,
        'start',
        '--data-dir',
        dataDir,
        '--dev-faults',
        ...startFlags,
        ...(this.#isDetached ? [] : ['--stop-on-stdin-end']),
      ];
      // A process group of its own: a Ctrl-C at the terminal reaches this process alone, which then stops the nodes. The pipe ends with this process, even a killed one.
      const child = spawn(process.execPath, args, { detached: true, stdio: [this.#isDetached ? 'ignore' : 'pipe', log.fd, log.fd] });
      await new Promise<void>((onSpawn, onError) => {
        child.once('spawn', onSpawn).once('error', onError);
      });
      child.unref();
      return child.pid ?? 0;
    } catch (error) {
      throw new CliError(exitCodes.error, `cannot start ${name}: ${messageOf(error)}`);
    } finally {
      await log.close();
    }
  }

  async #node(number: number): Promise<{ record: DevRecord; node: DevNode }> {
    const record = await this.#record();
    if (record === undefined)
      throw new CliError(exitCodes.notFound, `no cluster runs in ${this.#directory}`, 'start one with `quorate dev up --nodes 3`');
    const node = record.nodes[number - 1];
    if (node === undefined) throw new CliError(exitCodes.notFound, `there is no node ${number}`, `choose 1 to ${record.nodes.length}`);
    return { record, node };
  }

  async #running(number: number): Promise<DevNode> {
    const { node } = await this.#node(number);
    if (!this.#isAlive(node))
      throw new CliError(exitCodes.conflict, `${node.name} does not run`, `start it with \`quorate dev restart ${number}\``);
    return node;
  }

  async #gone(nodes: readonly DevNode[], withinMs: number): Promise<void> {
    const endMs = performance.now() + withinMs;
    while (nodes.some((node) => this.#isAlive(node)) && performance.now() < endMs) await pause(50);
  }

  #isAlive({ name, pid }: DevNode): boolean {
    try {
      process.kill(pid, 0);
    } catch {
      return false;
    }
    if (!existsSync('/proc/self/cmdline')) return true;
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      // Empty for a zombie, which has ended when its other threads have: until then they hold its files and the lock of its store.
      if (command === '') return readdirSync(`/proc/${pid}/task`).length > 1;
      return command.split('\0').includes(join(this.#directory, name));
    } catch {
      return false;
    }
  }

  get #recordPath(): string {
    return join(this.#directory, 'dev.json');
  }

  async #record(): Promise<DevRecord | undefined> {
    const text = await readFile(this.#recordPath, 'utf8').catch(() => undefined);
    if (text === undefined) return undefined;
    try {
      return recordSchema.parse(JSON.parse(text));
    } catch (error) {
      throw new CliError(exitCodes.error, `${this.#recordPath} is not valid`, 'stop the daemons by hand and remove the file', {
        cause: error,
      });
    }
  }

  async #write(record: DevRecord): Promise<void> {
    const path = `${this.#recordPath}.new`;
    await writeFile(path, `${JSON.stringify(record, undefined, 2)}\n`);
    await rename(path, this.#recordPath);
  }
}

function signalTo({ pid }: DevNode, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended in between, which is as good.
  }
}
