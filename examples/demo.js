#!/usr/bin/env node
// Three daemons, four workers, one task per text file; the leader and a worker are killed on the way. Ends with a check of every result, and non-zero when
// anything is missing, doubled or wrong. Everything runs on loopback in processes of its own and is stopped at the end.
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { countWords } from './count-words.js';

const here = fileURLToPath(new URL('.', import.meta.url));
const executable = join(here, '..', 'bin', 'quorate.js');
const texts = join(here, 'texts');
const directory = mkdtempSync(join(tmpdir(), 'quorate-demo-'));
const run = promisify(execFile);
const quorate = (...args) => run(process.execPath, [executable, ...args]);
const children = [];
const startedMs = performance.now();
const deadlineMs = startedMs + 120_000;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const say = (text) => process.stdout.write(`${text}\n`);
const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;

async function freePorts(count) {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise((resolve) => {
          const server = createServer();
          server.listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** A run of free ports that follow each other. */
async function portRange(size) {
  for (;;) {
    const [first] = await freePorts(1);
    try {
      await Promise.all(
        Array.from(
          { length: size },
          (_, i) =>
            new Promise((resolve, reject) => {
              const server = createServer();
              server.once('error', reject);
              server.listen(first + i, '127.0.0.1', () => server.close(resolve));
            }),
        ),
      );
      return first;
    } catch {
      // One of them is taken: look elsewhere.
    }
  }
}

async function get(endpoint, path, timeoutMs = 2000) {
  try {
    const response = await fetch(endpoint + path, { signal: AbortSignal.timeout(timeoutMs) });
    return response.ok ? await response.json() : undefined;
  } catch {
    return undefined;
  }
}

async function fromAny(endpoints, path) {
  while (performance.now() < deadlineMs) {
    for (const endpoint of endpoints) {
      const answer = await get(endpoint, path);
      if (answer !== undefined) return answer;
    }
    await pause(20);
  }
  throw new Error(`no node answered ${path}`);
}

function startWorker(name, capabilities, endpoints) {
  const command = `${JSON.stringify(process.execPath)} ${JSON.stringify(join(here, 'count-words.js'))}`;
  const args = ['agent', 'run', '--id', name, '--capabilities', capabilities, '--concurrency', '2', '--ttl-ms', '2000', '--exec', command];
  const child = spawn(process.execPath, [executable, ...args, '--endpoints', endpoints.join(',')], { stdio: ['ignore', 'ignore', 'pipe'] });
  child.stderr.on('data', (data) => {
    if (process.env.DEMO_VERBOSE !== undefined) process.stderr.write(`${name}: ${data}`);
  });
  children.push(child);
  return child;
}

function progress(done, total, note) {
  const width = 40;
  const filled = Math.round((done / total) * width);
  const bar = `${'█'.repeat(filled)}${'░'.repeat(width - filled)}`;
  if (process.stdout.isTTY) process.stdout.write(`\r  ${bar} ${String(done).padStart(3)}/${total} ${note.padEnd(48)}`);
}

/** Kills the leader and measures: until a survivor has noticed, and from there until a write is acknowledged again. */
async function killLeader(endpoints, nodes) {
  const status = await fromAny(endpoints, '/v1/status');
  const leader = nodes.find((node) => node.http === status.leader?.http);
  if (leader === undefined) throw new Error('there is no leader to kill');
  const survivors = nodes.filter((node) => node !== leader).map((node) => node.http);
  const term = status.term;
  const killedMs = performance.now();
  process.kill(leader.pid, 'SIGKILL');
  let noticedMs;
  while (noticedMs === undefined && performance.now() < deadlineMs) {
    const seen = await Promise.all(survivors.map((endpoint) => get(endpoint, '/v1/status', 500)));
    if (seen.some((s) => s !== undefined && (s.term > term || s.leader === null))) noticedMs = performance.now();
  }
  let servingMs;
  while (servingMs === undefined && performance.now() < deadlineMs) {
    const answer = await fetch(`${survivors[0]}/v1/kv/demo/after-the-kill`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ value: 'served' }),
      signal: AbortSignal.timeout(3000),
    }).catch(() => undefined);
    if (answer?.ok === true) servingMs = performance.now();
  }
  return { leader, survivors, detectionMs: noticedMs - killedMs, reactionMs: servingMs - noticedMs };
}

async function finished(endpoints) {
  let count = 0;
  let cursor;
  do {
    const page = await fromAny(
      endpoints,
      `/v1/tasks?state=succeeded&limit=500${cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
    );
    count += page.items.length;
    cursor = page.cursor ?? undefined;
  } while (cursor !== undefined);
  return count;
}

async function main() {
  const files = readdirSync(texts)
    .filter((name) => name.endsWith('.txt'))
    .toSorted();
  const [httpPort, peerPort] = [await portRange(3), await portRange(3)];
  await quorate(
    'dev',
    'up',
    '--nodes',
    '3',
    '--dir',
    directory,
    '--http-port',
    String(httpPort),
    '--peer-port',
    String(peerPort),
    '--detach',
  );
  const { nodes } = JSON.parse(readFileSync(join(directory, 'dev.json'), 'utf8'));
  let endpoints = nodes.map((node) => node.http);
  say(`3 nodes are up: ${endpoints.join('  ')}`);

  const capabilities = { 'reader-1': 'text', 'reader-2': 'text,hash', 'reader-3': 'text,hash', 'reader-4': 'text' };
  const workers = Object.entries(capabilities).map(([name, has]) => ({ name, child: startWorker(name, has, endpoints) }));
  say(
    `4 workers: ${Object.entries(capabilities)
      .map(([name, has]) => `${name} [${has}]`)
      .join('  ')}`,
  );

  const bodies = files.map((file, i) => ({
    id: `count-${file}`,
    type: 'count-words',
    payload: { file: join(texts, file) },
    requires: i % 3 === 0 ? ['text', 'hash'] : ['text'],
    maxAttempts: 10,
    leaseMs: 2000,
  }));
  const submitted = await fetch(`${endpoints[0]}/v1/tasks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(bodies),
  });
  if (!submitted.ok) throw new Error(`the tasks were not taken: ${await submitted.text()}`);
  say(`${bodies.length} tasks submitted, one per file in examples/texts`);

  let failover;
  let killedWorker;
  let note = '';
  for (let done = 0; done < bodies.length; done = await finished(endpoints)) {
    if (performance.now() > deadlineMs) throw new Error(`only ${done} of ${bodies.length} tasks are finished`);
    progress(done, bodies.length, note);
    if (failover === undefined && done >= bodies.length / 3) {
      failover = await killLeader(endpoints, nodes);
      endpoints = failover.survivors;
      note = `${failover.leader.name}, the leader, was killed`;
      if (!process.stdout.isTTY) say(`${done} finished: killed the leader, ${failover.leader.name}`);
    }
    if (killedWorker === undefined && done >= (bodies.length * 2) / 3) {
      killedWorker = workers[1];
      killedWorker.child.kill('SIGKILL');
      note = `${killedWorker.name} was killed`;
      if (!process.stdout.isTTY) say(`${done} finished: killed the worker ${killedWorker.name}`);
    }
    await pause(100);
  }
  progress(bodies.length, bodies.length, '');
  if (process.stdout.isTTY) say('');
  return report(bodies, endpoints, failover, killedWorker);
}

/** Compares every task with a direct computation, and prints what happened. True when all is as it must be. */
async function report(bodies, endpoints, failover, killedWorker) {
  let attempts = 0;
  let requeues = 0;
  let completions = 0;
  const faults = [];
  for (const body of bodies) {
    const task = await fromAny(endpoints, `/v1/tasks/${body.id}`);
    attempts += task.attempt;
    requeues += task.attempt - 1;
    const ends = task.history.filter((item) => item.state === 'succeeded').length;
    completions += ends;
    if (task.state !== 'succeeded' || ends !== 1) faults.push(`${body.id} is ${task.state}, completed ${ends} times`);
    const expected = JSON.stringify(countWords(readFileSync(body.payload.file)));
    if (JSON.stringify(task.result) !== expected) faults.push(`${body.id} has another result than the direct computation`);
  }
  const rows = [
    ['tasks', bodies.length],
    ['completions recorded', completions],
    ['attempts', attempts],
    ['requeues', requeues],
    ['killed', `leader ${failover?.leader.name ?? 'none'}, worker ${killedWorker?.name ?? 'none'}`],
    ['fail-over: detection', failover === undefined ? 'none' : `${failover.detectionMs.toFixed(0)} ms`],
    ['fail-over: reaction', failover === undefined ? 'none' : `${failover.reactionMs.toFixed(0)} ms, until a write was acknowledged`],
    ['results equal to a direct computation', `${bodies.length - faults.length} of ${bodies.length}`],
    ['time', seconds(performance.now() - startedMs)],
  ];
  say('');
  for (const [name, value] of rows) say(`  ${name.padEnd(40)} ${value}`);
  for (const fault of faults.slice(0, 10)) say(`  FAULT: ${fault}`);
  if (failover === undefined || killedWorker === undefined) faults.push('the work was over before something could be killed');
  say(faults.length === 0 ? '\nEvery file was processed, each completion recorded exactly once.' : `\n${faults.length} faults.`);
  return faults.length === 0;
}

async function cleanUp() {
  for (const child of children) child.kill('SIGTERM');
  const alive = children.filter((child) => child.exitCode === null && child.signalCode === null);
  await Promise.all(alive.map((child) => new Promise((resolve) => child.once('exit', resolve))));
  await quorate('dev', 'down', '--dir', directory).catch(() => {});
  rmSync(directory, { recursive: true, force: true });
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => void cleanUp().then(() => process.exit(130)));
}

let isGood = false;
try {
  isGood = await main();
} catch (error) {
  process.stderr.write(`\nquorate demo: ${error instanceof Error ? error.message : String(error)}\n`);
} finally {
  await cleanUp();
}
process.exitCode = isGood ? 0 : 1;
