import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const execute = promisify(execFile);
export const executable = fileURLToPath(new URL('../../../bin/quorate.js', import.meta.url));

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the real executable to its end. */
export async function quorate(...args: string[]): Promise<Outcome> {
  try {
    const { stdout, stderr } = await execute(process.execPath, [executable, ...args], { env: { ...process.env, NO_COLOR: '1' } });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

/** Polls until the probe answers something; fails after a minute, which no healthy run comes near. */
export async function until<T>(what: string, probe: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const endMs = performance.now() + 60_000;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (performance.now() > endMs) throw new Error(`waited a minute for ${what}`);
    // A tight loop would take the processor from what it waits for.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** The first of `size` free ports that follow each other. */
export async function freePorts(size: number): Promise<number> {
  for (let first = 20_000 + (process.pid % 20_000); ; first += size) {
    const free = await Promise.all(Array.from({ length: size }, (_, i) => isFree(first + i)));
    if (free.every(Boolean)) return first;
  }
}

export async function json(url: string, init?: RequestInit): Promise<Record<string, unknown> | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(10_000), ...init });
    return (await response.json()) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

export const post = (url: string, body: unknown): Promise<Record<string, unknown> | undefined> =>
  json(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

/** A cluster of real processes on loopback, made and ended by the executable. */
export class DevCluster {
  readonly directory: string;
  readonly endpoints: readonly string[];
  readonly #joined: ChildProcess[] = [];

  private constructor(directory: string, endpoints: readonly string[]) {
    this.directory = directory;
    this.endpoints = endpoints;
  }

  static async up(nodes: number, ...flags: string[]): Promise<DevCluster> {
    const directory = mkdtempSync(join(tmpdir(), 'quorate-e2e-'));
    const first = await freePorts(2 * nodes);
    const ports = ['--http-port', String(first), '--peer-port', String(first + nodes)];
    const up = await quorate('dev', 'up', '--nodes', String(nodes), '--dir', directory, ...ports, '--detach', ...flags);
    if (up.code !== 0) throw new Error(`dev up failed: ${up.stderr}`);
    return new DevCluster(
      directory,
      Array.from({ length: nodes }, (_, i) => `http://127.0.0.1:${first + i}`),
    );
  }

  dev(command: string, node: number): Promise<Outcome> {
    return quorate('dev', command, String(node), '--dir', this.directory);
  }

  pid(node: number): number {
    const { nodes } = JSON.parse(readFileSync(join(this.directory, 'dev.json'), 'utf8')) as { nodes: { pid: number }[] };
    return nodes[node - 1]?.pid ?? 0;
  }

  /** The last lines of a node's log, to explain a failure. */
  logEnd(node: number): string {
    return readFileSync(join(this.directory, `node-${node}`, 'log'), 'utf8')
      .split('\n')
      .slice(-6)
      .join('\n');
  }

  /** Starts a node that joins by this member; its endpoint. */
  async join(name: string, base: string, ...flags: string[]): Promise<string> {
    const token = await quorate('--endpoints', base, 'member', 'token');
    if (token.code !== 0) throw new Error(`no token: ${token.stderr}`);
    const port = await freePorts(2);
    const ports = ['--http-port', String(port), '--peer-port', String(port + 1)];
    const args = ['start', '--data-dir', join(this.directory, name), '--join', base, '--token', token.stdout.trim(), ...ports, ...flags];
    this.#joined.push(spawn(process.execPath, [executable, ...args], { stdio: 'ignore' }));
    return `http://127.0.0.1:${port}`;
  }

  /** Waits until the node at this endpoint knows the named member as a voter. */
  async votes(name: string, endpoint: string): Promise<void> {
    await until(`${name} to become a voter`, async () => {
      const members = ((await json(`${endpoint}/v1/status`))?.['members'] ?? []) as { name: string; voter: boolean }[];
      return members.some((member) => member.name === name && member.voter) ? true : undefined;
    });
  }

  /** Number (from 1) of the node that leads, as the others see it. */
  leader(): Promise<number> {
    return until('a leader', async () => {
      for (const endpoint of this.endpoints) {
        const status = await json(`${endpoint}/v1/status`);
        const leader = status?.['leader'] as { http: string } | null | undefined;
        const at = this.endpoints.indexOf(leader?.http ?? '');
        if (at < 0) continue;
        const own = await json(`${this.endpoints[at]}/v1/status`);
        if (own?.['role'] === 'leader') return at + 1;
      }
      return undefined;
    });
  }

  async down(): Promise<void> {
    for (const child of this.#joined) child.kill('SIGKILL');
    await quorate('dev', 'down', '--dir', this.directory);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
